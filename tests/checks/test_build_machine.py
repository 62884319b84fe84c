"""REP-01 knows the machine that it runs on: its name, and where the tree lies, must not be in the tree."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support import trees
from tests.support.defects import linked, written
from tests.support.requirements import needs_program
from tests.support.verdicts import caught, judged

pytestmark = needs_program("cc", "depmod")

TEST = "REP-01::test_configuration_names_no_build_machine"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return trees.systemd_guest(tmp_path / "tree")


def test_the_name_of_this_machine_is_found(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "builder-42.corp.example")
    written("etc/mailname", "root@builder-42\n")(tree)
    assert set(caught(judged(tree))) == {TEST}


@pytest.mark.parametrize("text", ["builder-421\n", "my-builder-42\n", "BUILDER-42\n"])
def test_a_name_within_another_word_is_nobodys(tree: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "builder-42")
    written("etc/mailname", text)(tree)
    assert caught(judged(tree)) == {}


@pytest.mark.parametrize("name", ["debian", "vm1"])
def test_a_name_that_is_a_word_or_short_is_not_looked_for(
    tree: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    written("etc/issue", f"{name}\n")(tree)
    assert caught(judged(tree)) == {}


def test_the_place_of_the_tree_is_found(tree: Path) -> None:
    written("etc/ld.so.conf.d/own.conf", f"{tree}/usr/lib/extra\n")(tree)
    assert set(caught(judged(tree))) == {TEST}


def test_a_link_to_the_place_of_the_tree_is_found(tree: Path) -> None:
    linked("usr/lib/ssl/certs", f"{tree}/etc/ssl/certs")(tree)
    assert set(caught(judged(tree))) == {"REP-01::test_no_link_leads_to_the_build_machine"}


def test_what_is_no_text_is_not_searched(tree: Path) -> None:
    written("etc/ld.so.cache", f"\0{tree}/usr/lib".encode())(tree)
    assert caught(judged(tree)) == {}
