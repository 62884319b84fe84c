"""LAY-06 knows people by the databases of the rootfs, wherever its distribution keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import trees
from tests.support.defects import appended, given_to, removed, written
from tests.support.requirements import needs_program, needs_root
from tests.support.verdicts import caught, judged

pytestmark = [needs_program("cc", "depmod"), needs_root()]

TEST = "LAY-06::test_every_owner_is_known"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = trees.agent_init_guest(tmp_path / "tree")
    given_to("usr/bin/bash", 990, 990)(root)
    return root


def test_a_number_without_a_name_is_found_once_for_each_kind(tree: Path) -> None:
    given_to("usr/bin/dd", 990, 990)(tree)
    lines = [f"/usr/bin/bash: belongs to {who} 990, as do 2 entries in all" for who in ("group", "user")]
    assert {name: sorted(found) for name, found in caught(judged(tree)).items()} == {TEST: lines}


def test_whom_nss_altfiles_knows_is_known(tree: Path) -> None:
    written("usr/lib/passwd", "service:x:990:990::/:/sbin/nologin\n")(tree)
    written("usr/lib/group", "service:x:990:\n")(tree)
    assert caught(judged(tree)) == {}


@pytest.mark.parametrize("line", ["service:x:\n", "service:x:99٠:990:::\n", f"service:x:{'9' * 5000}:990:::\n"])
def test_a_line_that_says_nothing_makes_nobody_known(tree: Path, line: str) -> None:
    appended("etc/passwd", line)(tree)
    assert len(caught(judged(tree))[TEST]) == 2


def test_without_databases_nobody_can_be_known(tree: Path) -> None:
    removed("etc/passwd")(tree)
    removed("etc/group")(tree)
    assert TEST not in caught(judged(tree))
