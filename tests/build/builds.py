"""Real builds from the archive in miniature, each in a process of its own, and what a tree looks like afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.agents import stand_in_agent
from tests.support.debian_archive import Archive
from tests.support.surroundings import clean_environment

SECONDS = 120
MANIFEST = "var/lib/osbuilder/manifest.json"


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Mirror:
    """The archive as it is served, and the directory of distributions that trusts its key."""

    archive: Archive
    url: str
    distros: Path

    def arguments(self, target: Path, *more: str) -> list[str]:
        """The command line of a build at `target`; of an option that is given twice, the last counts."""
        return [
            sys.executable, "-m", "rootfs_kit", "build", "debian", "--distros-dir", str(self.distros), "--mirror",
            self.url, "--agent-bin", str(stand_in_agent()), "--rootfs-dir", str(target), *more,
        ]  # fmt: skip

    def start(
        self, target: Path, *more: str, before: Sequence[str] = (), cwd: Path | None = None, **environ: str
    ) -> subprocess.Popen[str]:
        """A build in a session of its own, so that no signal of it reaches the tests; `before` wraps the command."""
        return subprocess.Popen(
            [*before, *self.arguments(target, *more)],
            cwd=cwd or target.parent,
            env={**clean_environment(), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            start_new_session=True,
        )

    def run(self, arguments: Sequence[str], target: Path, seconds: float = SECONDS) -> Outcome:
        """A command line of one's own, made from `arguments()`."""
        done = subprocess.run(
            arguments, cwd=target.parent, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="surrogateescape", timeout=seconds, check=False,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)

    def build(
        self,
        target: Path,
        *more: str,
        before: Sequence[str] = (),
        cwd: Path | None = None,
        seconds: float = SECONDS,
        **environ: str,
    ) -> Outcome:
        """A build from beginning to end."""
        with self.start(target, *more, before=before, cwd=cwd, **environ) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            finally:
                process.kill()
        return Outcome(process.returncode, out, err)


def manifest(tree: Path) -> dict[str, Any]:
    return json.loads((tree / MANIFEST).read_text())


def look(root: Path, times: bool = True) -> dict[str, tuple[object, ...]]:
    """Every entry of a tree by its path, with all that a copy has to keep; inode numbers become first names."""
    firsts: dict[int, str] = {}
    return {path: _look_at(place, path, firsts, times) for path, place in _entries(root)}


def _entries(root: Path) -> Iterator[tuple[str, Path]]:
    yield ".", root
    for directory, names, files in os.walk(root):
        names.sort()
        for name in sorted([*names, *files]):
            place = Path(directory, name)
            yield str(place.relative_to(root)), place


def _look_at(place: Path, path: str, firsts: dict[int, str], times: bool) -> tuple[object, ...]:
    status = place.lstat()
    content = ""
    if place.is_symlink():
        content = os.readlink(place)
    elif place.is_file():
        content = hashlib.sha256(place.read_bytes()).hexdigest()
    attributes = {name: os.getxattr(place, name, follow_symlinks=False) for name in _attributes(place)}
    first = firsts.setdefault(status.st_ino, path)
    mtime = status.st_mtime_ns if times else 0
    return (oct(status.st_mode), status.st_uid, status.st_gid, mtime, status.st_rdev, first, content, attributes)


def _attributes(place: Path) -> list[str]:
    return sorted(os.listxattr(place, follow_symlinks=False))


def differences(one: dict[str, tuple[object, ...]], other: dict[str, tuple[object, ...]]) -> list[str]:
    """Paths at which two looks differ."""
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def left_behind(target: Path) -> list[str]:
    """What of rootfs-kit is left beside `target`."""
    return sorted(name for name in os.listdir(target.parent) if "rootfs-kit" in name)


def processes_that_name(text: str) -> list[str]:
    """Command lines with `text` in them, of all processes but this one."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        if int(directory.name) == os.getpid():
            continue
        try:
            words = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words:
            found.append(words)
    return found
