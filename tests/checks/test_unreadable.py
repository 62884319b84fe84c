"""LAY-01: a tree that its judge may not read in full gets neither a pass nor a wrong accusation."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from rootfs_kit.suite.verdict import State
from tests.support import trees
from tests.support.nobody import as_nobody
from tests.support.requirements import needs_program, needs_root
from tests.support.verdicts import FOUND, judged, name_of

pytestmark = [needs_program("cc", "depmod"), needs_root()]


def _judged_by_nobody(tree: Path) -> tuple[int, dict[str, str]]:
    """The exit code, and the state of each test that did not pass, as an ordinary user gets them."""
    judged(tree)  # imports all that is needed
    status, states = as_nobody(partial(_outcome, tree))
    return status, states


def _outcome(tree: Path) -> tuple[int, dict[str, str]]:
    verdict = judged(tree)
    return int(verdict.exit_code), {result.nodeid: result.state for result in verdict.of(*FOUND)}


@pytest.fixture
def private_tree() -> Iterator[Path]:
    """Where everybody may go: every run of pytest closes the directory of temporary files to others."""
    with tempfile.TemporaryDirectory(prefix="rootfs-kit-nobody-") as place:
        Path(place).chmod(0o755)
        yield trees.systemd_guest(Path(place) / "tree")


def test_an_unreadable_directory_is_unknown_and_not_missing(private_tree: Path) -> None:
    (private_tree / "etc/kata").mkdir(mode=0o700)
    status, states = _judged_by_nobody(private_tree)
    assert states == {"rootfs-kit/test_layout.py::test_every_part_of_the_rootfs_can_be_read": State.UNKNOWN}
    assert status == 2


def test_an_unreadable_agent_is_unknown_and_not_missing(private_tree: Path) -> None:
    (private_tree / "usr/bin/kata-agent").chmod(0o700)
    status, states = _judged_by_nobody(private_tree)
    assert set(states.values()) == {State.UNKNOWN}
    assert any("test_agent_is_kata_agent" in nodeid for nodeid in states)
    assert status == 2


def test_root_reads_the_same_tree(private_tree: Path) -> None:
    (private_tree / "etc/kata").mkdir(mode=0o700)
    verdict = judged(private_tree)
    assert [name_of(result) for result in verdict.of(State.UNKNOWN)] == []
