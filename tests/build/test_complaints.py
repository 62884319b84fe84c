"""What an error message shows of a program that failed: its last lines, and what it complained of before."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfs_kit.backends import Command
from rootfs_kit.errors import BuildFailed
from rootfs_kit.monitor import SilentMonitor
from rootfs_kit.run import LAST_LINES, build_log, run

COMPLAINTS = ("ERROR: ", "WARNING: ")


def _found(tmp_path: Path, script: str, *complaints: str) -> str:
    command = Command(("sh", "-c", script), complaints=complaints)
    with pytest.raises(BuildFailed) as caught, build_log(tmp_path / "log", "test") as log:
        run(command, SilentMonitor(), log)
    return caught.value.found


def test_a_complaint_is_shown_though_many_lines_followed(tmp_path: Path) -> None:
    found = _found(tmp_path, "echo ERROR: the reason; seq 1 100; exit 3", *COMPLAINTS)
    complained, _, last = found.partition("its last lines:")
    assert complained == "it ended with exit status 3; it complained:\n    ERROR: the reason\n  "
    assert last.split() == [str(number) for number in range(101 - LAST_LINES, 101)]


def test_no_line_is_shown_twice(tmp_path: Path) -> None:
    found = _found(tmp_path, "echo WARNING: once; echo ERROR: the reason; exit 1", *COMPLAINTS)
    assert found == "it ended with exit status 1; its last lines:\n    WARNING: once\n    ERROR: the reason"


def test_without_complaints_the_last_lines_are_all(tmp_path: Path) -> None:
    found = _found(tmp_path, "echo ERROR: early; seq 1 100; exit 1")
    assert "ERROR" not in found
    assert found.endswith("\n    100")


def test_the_first_complaints_are_enough(tmp_path: Path) -> None:
    found = _found(tmp_path, "seq -f 'ERROR: %g.' 1 1000; seq 1 100; exit 1", *COMPLAINTS)
    assert "ERROR: 1." in found
    assert found.count("ERROR: ") == LAST_LINES
