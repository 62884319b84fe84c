"""rootfs-kit as a user has it: the wheel, installed into a virtual environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
NOT_SOURCE = shutil.ignore_patterns(".*", "build", "*.egg-info", "quickstart", "rootfs*-*")


def build_wheel(workplace: Path) -> Path:
    """The wheel of a copy of the project, so that building leaves nothing in the checkout."""
    source = workplace / "source"
    shutil.copytree(PROJECT, source, ignore=NOT_SOURCE)
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(workplace), str(source))
    return next(workplace.glob("rootfs_kit-*.whl"))


def install(wheel: Path, environment: Path, python: str = sys.executable) -> Path:
    """The `bin` directory of a new environment that holds the wheel and what it depends on."""
    _run(python, "-m", "venv", str(environment))
    _run(str(environment / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", str(wheel))
    return environment / "bin"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
