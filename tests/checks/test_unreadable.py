"""LAY-01: a tree that its judge may not read in full gets neither a pass nor a wrong accusation."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rootfs_kit.suite.verdict import State
from tests.support import trees
from tests.support.requirements import needs_program, needs_root
from tests.support.verdicts import FOUND, judged, name_of

NOBODY = 65534

pytestmark = [needs_program("cc", "depmod"), needs_root()]


def _judged_by_nobody(tree: Path) -> tuple[int, dict[str, str]]:
    """The exit code, and the state of each test that did not pass, as an ordinary user gets them.

    A child of this process is that user: the interpreter itself may lie where only root can read it, so everything
    is imported before, by judging the tree once as root.
    """
    for above in (tree, *tree.parents[:-1]):
        above.chmod(above.stat().st_mode | 0o055)
    judged(tree)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writing, json.dumps(_outcome(tree)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        status, states = json.loads(answer.read())
    os.waitpid(child, 0)
    return status, states


def _outcome(tree: Path) -> tuple[int, dict[str, str]]:
    verdict = judged(tree)
    return int(verdict.exit_code), {result.nodeid: result.state for result in verdict.of(*FOUND)}


@pytest.fixture
def private_tree(tmp_path: Path) -> Path:
    return trees.systemd_guest(tmp_path / "tree")


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
