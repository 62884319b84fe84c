"""Real Debian guests, built from Debian's archive by the command line, each once for all tests of a run.

They are not to be changed: take a copy (`cp -al` shares the files of one, so unlink before you write). The workers of
pytest-xdist share one directory; whoever leaves last removes it, and what a killed run left the next one clears.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from rootfs_kit.host.emulation import obstacle
from tests.support.agents import stand_in_agent
from tests.support.boot import cloud_modules
from tests.support.programs import foreign_program
from tests.support.requirements import require_debian_archive
from tests.support.surroundings import clean_environment

SECONDS = 2400
PREFIX = "rootfs-kit-guests-"
IN_USE = "in-use"
THIS_MACHINE = os.uname().machine


@cache
def debian_guest(
    release: str = "trixie", agent_init: bool = False, arch: str | None = None, modules: bool = False
) -> Path:
    """The tree of a guest whose agent is the stand-in; `modules` are those of Debian's cloud kernel for this host.

    Skips the calling test where the archive cannot be reached, or programs for `arch` cannot be run.
    """
    arch = arch or THIS_MACHINE
    require_debian_archive()
    if obstacle(arch) is not None:
        pytest.skip(f"needs qemu-user to run programs for {arch}")
    target = _shared_directory() / "-".join(
        (release, arch, "agent" if agent_init else "systemd", *(["modules"] if modules else []))
    )
    with FileLock(target.with_suffix(".lock")):
        if not target.is_dir():
            _build(target, release, arch, agent_init, cloud_modules() if modules else None)
    return target


def _build(target: Path, release: str, arch: str, agent_init: bool, modules: Path | None) -> None:
    agent = stand_in_agent() if arch == THIS_MACHINE else foreign_program(stand_in_agent())
    done = build_debian(
        target, "--os-version", release, "--arch", arch, "--agent-bin", str(agent),
        *(["--agent-init"] if agent_init else []),
        *(["--kernel-modules", str(modules)] if modules else []),
    )  # fmt: skip
    if done.returncode != 0:
        pytest.fail(f"the guest {target.name} could not be built:\n{done.stderr}", pytrace=False)


def build_debian(target: Path, *options: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """`rootfs-kit build debian` at `target` from Debian's archive, to its end; `before` wraps the command."""
    return subprocess.run(
        [*before, sys.executable, "-m", "rootfs_kit", "build", "debian", "--quiet", "-r", str(target), *options],
        env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


@cache
def _shared_directory() -> Path:
    """One directory for all processes of this run, held by a lock that they share (flock(2))."""
    base = Path(tempfile.gettempdir())
    _clear_left_directories(base)
    directory = base / f"{PREFIX}{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"
    directory.mkdir(mode=0o755, exist_ok=True)
    held = os.open(directory / IN_USE, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(held, fcntl.LOCK_SH)
    atexit.register(_remove_unless_held, directory)
    atexit.register(os.close, held)
    return directory


def _clear_left_directories(base: Path) -> None:
    for left in base.glob(f"{PREFIX}*"):
        if (left / IN_USE).exists():
            _remove_unless_held(left)


def _remove_unless_held(directory: Path) -> None:
    """Remove `directory` if no process holds its lock."""
    with suppress(OSError), (directory / IN_USE).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory)
