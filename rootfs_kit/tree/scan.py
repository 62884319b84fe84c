"""The one scan of a directory tree: scandir and lstat for everything below a descriptor, no link followed.

Each directory is opened by its name in the descriptor of the one above, so that a deep tree costs no more than a
flat one, and a component that is swapped for a link meanwhile is not entered.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from rootfs_kit.tree.index import Extra, Index, Row
from rootfs_kit.tree.openat import open_in_root
from rootfs_kit.tree.paths import basename, join, parent

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MOST_OPEN = 64
"""Directories on the way down that are held open; deeper, the topmost are given back and opened again on the way up."""
PATH_MAX = 4096
"""Longest path, in bytes, that a program can hand to the kernel (limits.h)."""
LONG_PATHS = 32 << 20
"""Characters of paths beyond PATH_MAX that are kept; a thousand times what the deepest tree of an accident has."""


def scan_directory(root: int) -> Index:
    """The index of all that is below the directory `root`, a descriptor that stays open."""
    scan = _Scan(root)
    try:
        scan.run()
    finally:
        scan.close()
    return scan.index


class _Level:
    """A directory on the way from the root to the one that is being listed; deep ones above it are closed meanwhile."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self.descriptor: int | None = descriptor
        self._identity = _identity(descriptor)

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def reopen_from(self, below: _Level) -> None:
        """Open it again as the directory above `below`; not where that was moved elsewhere since."""
        if self.descriptor is not None or below.descriptor is None:
            return
        with suppress(OSError):
            descriptor = os.open("..", DIRECTORY, dir_fd=below.descriptor)
            if _identity(descriptor) == self._identity:
                self.descriptor = descriptor
            else:
                os.close(descriptor)


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


class _Scan:
    """Holds the directories on the way down, and what is still to be listed; depth first."""

    def __init__(self, root: int) -> None:
        self.index = Index(row_of(os.fstat(root), None))
        self._root = root
        self._levels: list[_Level] = []
        self._waiting = ["/"]
        self._modes: dict[int, int] = {}
        self._long_paths_left = LONG_PATHS

    def run(self) -> None:
        while self._waiting:
            path = self._waiting.pop()
            if self._is_too_long(path):
                self.index.unreadable[path] = "paths of this length are too many to keep"
                continue
            try:
                rows = rows_in(self._enter(path), path, self.index.unreadable, self._modes)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.index.unreadable[path] = error.strerror or str(error)
                continue
            self.index.directories[path] = rows
            self._waiting += [join(path, name) for name, row in rows.items() if stat.S_ISDIR(row[0])]

    def close(self) -> None:
        for level in self._levels:
            level.close()

    def _is_too_long(self, path: str) -> bool:
        if len(path) <= PATH_MAX:
            return False
        self._long_paths_left -= len(path)
        return self._long_paths_left < 0

    def _enter(self, path: str) -> int:
        """Open the directory at `path` from the one above it, and hold it for those below."""
        if path == "/":
            descriptor = os.open(".", DIRECTORY, dir_fd=self._root)
        else:
            descriptor = os.open(basename(path), DIRECTORY, dir_fd=self._back_to(parent(path)))
        self._levels.append(_Level(path, descriptor))
        if len(self._levels) > MOST_OPEN:
            self._levels[-MOST_OPEN - 1].close()
        return descriptor

    def _back_to(self, path: str) -> int:
        """The directory at `path`, which was listed before; those below it are done with, and closed."""
        level = self._levels[-1]
        while level.path != path:
            below = self._levels.pop()
            level = self._levels[-1]
            level.reopen_from(below)
            below.close()
        if level.descriptor is None:
            level.descriptor = open_in_root(self._root, path, DIRECTORY)
        return level.descriptor


def rows_in(descriptor: int, path: str, unreadable: dict[str, str], modes: dict[int, int]) -> dict[str, Row]:
    """What is in one open directory; `unreadable` gains what cannot be looked at. Raises OSError."""
    rows: dict[str, Row] = {}
    with os.scandir(descriptor) as listing:
        for found in listing:
            try:
                status = found.stat(follow_symlinks=False)
                target = os.readlink(found.name, dir_fd=descriptor) if found.is_symlink() else None
            except FileNotFoundError:
                continue
            except OSError as error:
                unreadable[join(path, found.name)] = error.strerror or str(error)
                continue
            rows[found.name] = row_of(status, target, modes)
    return rows


def row_of(status: os.stat_result, target: str | None, modes: dict[int, int] | None = None) -> Row:
    """What the index keeps of a `lstat`; equal modes of one scan are one object of `modes`."""
    mode = status.st_mode if modes is None else modes.setdefault(status.st_mode, status.st_mode)
    extra: Extra = target
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        extra = (os.major(status.st_rdev), os.minor(status.st_rdev))
    elif stat.S_ISREG(mode) and status.st_nlink > 1:
        extra = (status.st_nlink, status.st_dev, status.st_ino)
    return (mode, status.st_uid, status.st_gid, status.st_size, status.st_mtime, extra)
