"""An ordinary user of this host, made for the tests with ranges of subordinate ids, and gone after them.

What the user needs is copied to a place that everybody may read, rootfs-kit itself among it: checkout, environment and
pytest's directories are often root's alone.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from rootfs_kit.host.subids import SUBGID, SUBUID, command_to_add, largest_range
from tests.support.installation import build_wheel, install
from tests.support.surroundings import clean_environment

NEEDED_TOOLS = ("useradd", "userdel", "usermod", "newuidmap", "newgidmap", "setpriv")
SECONDS = 120


@dataclass(frozen=True)
class Ended:
    status: int
    out: bytes
    err: str


@dataclass(frozen=True)
class OrdinaryUser:
    """`place` is readable for everybody, `home` the user's own; ids from 1 on in a namespace are `first_*` here."""

    name: str
    uid: int
    gid: int
    first_uid: int
    first_gid: int
    place: Path

    @property
    def home(self) -> Path:
        return self.place / "home"

    @property
    def program(self) -> str:
        return str(self.place / "environment/bin/rootfs-kit")

    def as_user(self, *command: str) -> list[str]:
        """setpriv(1) still has root's rights when it executes what is named: so that is env(1)."""
        return ["setpriv", f"--reuid={self.name}", f"--regid={self.gid}", "--init-groups", "env", *command]

    def start(self, command: Sequence[str], **environ: str) -> subprocess.Popen[bytes]:
        """A command line in the user's home and a session of its own."""
        kept = {name: value for name, value in clean_environment().items() if name != "PYTHONPATH"}
        return subprocess.Popen(
            command,
            cwd=self.home,
            env={**kept, "HOME": str(self.home), "TMPDIR": str(self.home), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *arguments: str, seconds: float = SECONDS, **environ: str) -> Ended:
        """rootfs-kit with these arguments, as this user."""
        return self.finish(self.as_user(self.program, *arguments), seconds, **environ)

    def run_as_root(self, *arguments: str, seconds: float = SECONDS, **environ: str) -> Ended:
        """The same program, from the same place, as root."""
        return self.finish([self.program, *arguments], seconds, **environ)

    def finish(self, command: Sequence[str], seconds: float = SECONDS, **environ: str) -> Ended:
        with self.start(command, **environ) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            finally:
                process.kill()
        return Ended(process.returncode, out, err.decode(errors="replace"))

    def bring(self, source: Path) -> Path:
        """A copy of a file or directory that the user can read."""
        copy = self.place / source.name
        if source.is_dir():
            shutil.copytree(source, copy, dirs_exist_ok=True)
        else:
            shutil.copy(source, copy)
        subprocess.run(["chmod", "-R", "a+rX", str(copy)], check=True)
        return copy

    def inside(self, uid: int, gid: int) -> tuple[int, int]:
        """What root of the user's namespace sees of an owner on this host."""
        return (
            0 if uid == self.uid else uid - self.first_uid + 1,
            0 if gid == self.gid else gid - self.first_gid + 1,
        )


@contextmanager
def ordinary_user() -> Iterator[OrdinaryUser]:
    """Skips where this is not root, or lacks a tool or the right to make user namespaces."""
    if os.geteuid() != 0:
        pytest.skip("needs root to make a user")
    missing = [tool for tool in NEEDED_TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} on PATH")
    place = Path(tempfile.mkdtemp(prefix="rootfs-kit-user-"))
    place.chmod(0o755)
    name = f"rootfs-kit-{os.getpid()}-{secrets.token_hex(2)}"
    try:
        user = _make(name, place)
        _require_namespaces(user)
        with tempfile.TemporaryDirectory() as workplace:
            install(build_wheel(Path(workplace)), place / "environment", _python(user))
        yield user
    finally:
        _unmake(name)
        shutil.rmtree(place)


def _make(name: str, place: Path) -> OrdinaryUser:
    _patiently("useradd", "--create-home", "--home-dir", str(place / "home"), "--shell", "/bin/sh", name)
    known = pwd.getpwnam(name)
    for file in (SUBUID, SUBGID):
        if largest_range(file, name, known.pw_uid) is None:
            _patiently(*command_to_add(file, name).split()[1:])
    uids = largest_range(SUBUID, name, known.pw_uid)
    gids = largest_range(SUBGID, name, known.pw_uid)
    assert uids is not None
    assert gids is not None
    return OrdinaryUser(name, known.pw_uid, known.pw_gid, uids.start, gids.start, place)


def _unmake(name: str) -> None:
    """With whatever still runs as the user: podman leaves a process that holds its namespace open."""
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        return
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if directory.stat().st_uid == uid:
                os.kill(int(directory.name), signal.SIGKILL)
    _patiently("userdel", name)


def _patiently(*command: str) -> None:
    """Somebody else may be changing /etc/passwd just now."""
    for _ in range(20):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(0.5)
    pytest.fail(f"{command}: {done.stderr}")


def _require_namespaces(user: OrdinaryUser) -> None:
    tried = subprocess.run(user.as_user("unshare", "--user", "--mount", "true"), capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip("needs a kernel that lets users make user namespaces")


def _python(user: OrdinaryUser) -> str:
    """A Python that the user may run and that can make virtual environments: this one, or the host's."""
    asked = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
    for python in (sys.executable, os.path.realpath(sys.executable), "/usr/bin/python3"):
        tried = subprocess.run(user.as_user(python, "-c", asked), capture_output=True, check=False)
        if tried.returncode == 0:
            return python
    pytest.skip("needs a Python 3.11 with venv that every user may run")
