"""Ways to run the command line: in this process for its words, in one of its own for its exit status and streams."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rootfs_kit.request.knobs import KNOBS
from rootfs_kit.request.surroundings import DISTROS_PATH

PACKAGE_PARENT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of the variables that rootfs-kit reads, 80 columns, and an empty working directory."""
    for knob in KNOBS:
        for name in (knob.environment, knob.switched_by):
            if name:
                monkeypatch.delenv(name, raising=False)
    for name in (DISTROS_PATH, "_ROOTFS_KIT_COMPLETE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(clean_environment: None, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""
    from rootfs_kit.cli import cli
    from rootfs_kit.cli.outcome import run as run_command

    def invoke(*arguments: str) -> Outcome:
        capfd.readouterr()
        status = run_command(cli, arguments)
        captured = capfd.readouterr()
        return Outcome(int(status), captured.out, captured.err)

    return invoke


@pytest.fixture
def spawn(clean_environment: None, tmp_path: Path) -> Run:
    """Run a command as a process of its own, in an empty directory; keywords are environment variables."""

    def start(*arguments: str, **environ: str) -> Outcome:
        done = subprocess.run(
            command_line(*arguments),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PACKAGE_PARENT), **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return start


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "rootfs_kit", *arguments]
