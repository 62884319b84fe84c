"""A build that is stopped says so, ends with the shell's status for the signal, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import PACKAGE_PARENT, command_line
from tests.support.requirements import needs_program, needs_root

pytestmark = [needs_root(), needs_program("cc")]

BEGUN = "begun"


@pytest.fixture
def slow_package_manager(tmp_path: Path) -> Path:
    """A directory for PATH whose mmdebstrap says that it began, and is never done."""
    directory = tmp_path / "tools"
    directory.mkdir()
    program = directory / "mmdebstrap"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / BEGUN}\nsleep 3600\n")
    program.chmod(0o755)
    return directory


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: str(value),
)
def test_a_build_that_is_stopped_leaves_nothing(
    clean_environment: None, tmp_path: Path, slow_package_manager: Path, number: signal.Signals, status: int
):
    place = tmp_path / "place"
    place.mkdir()
    with subprocess.Popen(
        command_line("build", "debian", "--agent", "probe"),
        cwd=place,
        env={**os.environ, "PATH": f"{slow_package_manager}:{os.environ['PATH']}", "PYTHONPATH": str(PACKAGE_PARENT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            _wait_until((tmp_path / BEGUN).exists)
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == status
    assert errors.splitlines()[-1] == f"rootfs-kit: stopped by {number.name}"
    assert list(place.iterdir()) == []


def _wait_until(condition, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "the package manager was never started"
        time.sleep(0.05)
