"""Which engine is chosen, and what is said where there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rootfs_kit import host
from rootfs_kit.backends import Plan, Tool
from rootfs_kit.distro.search import find_distro
from rootfs_kit.engines.choice import choose_engine
from rootfs_kit.errors import HostLacks
from rootfs_kit.request import BuildRequest

AUTO = BuildRequest(Path("/nowhere"), distro="debian", arch="x86_64")
DEBIAN = find_distro("debian")
PRESENT = Plan((), (Tool("sh", {}),), ())
ABSENT = Plan((), (Tool("sh", {}), Tool("no-such-tool", {"debian": "no-such-package"})), ())


@pytest.mark.parametrize(("root", "engine"), [(True, "host"), (False, "userns")])
def test_tools_and_rights_decide(monkeypatch: pytest.MonkeyPatch, root: bool, engine: str):
    monkeypatch.setattr(host, "is_root", lambda: root)
    chosen = choose_engine(AUTO, DEBIAN, PRESENT)
    assert chosen.engine.name == engine
    assert chosen.reason.startswith("sh is installed, and ")


def test_a_tool_that_can_be_fetched_need_not_be_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host, "is_root", lambda: True)
    fetched = Plan((), (Tool("sh", {}), Tool("no-such-tool", {}, lambda cache, into: into)), ())
    chosen = choose_engine(AUTO, DEBIAN, fetched)
    assert (chosen.engine.name, chosen.reason) == ("host", "no-such-tool can be fetched, and this is root")


def test_without_the_tools_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host, "host_ids", lambda: ("debian",))
    monkeypatch.setattr(host, "answering_engine", lambda: (None, "none at all"))
    with pytest.raises(HostLacks) as caught:
        choose_engine(AUTO, DEBIAN, ABSENT)
    assert caught.value.found == "not installed: no-such-tool; and no container engine answers (none at all)"
    assert caught.value.hint.endswith("apt-get install -y no-such-package")


@pytest.mark.parametrize("name", ["host", "userns"])
def test_an_engine_that_was_asked_for_is_taken(name: str):
    chosen = choose_engine(replace(AUTO, engine=name), DEBIAN, ABSENT)
    assert (chosen.engine.name, chosen.reason) == (name, "it was asked for")


def test_the_host_engine_is_for_root_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rootfs_kit.engines.host.is_root", lambda: False)
    with pytest.raises(HostLacks, match="--engine userns"):
        choose_engine(replace(AUTO, engine="host"), DEBIAN, PRESENT).engine.require_ready(PRESENT)
