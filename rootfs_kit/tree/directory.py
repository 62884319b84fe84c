"""A rootfs in a directory of this host: scanned once, its files opened only below that directory."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from rootfs_kit.errors import CouldNotLook, NotARegularFile, UsageError
from rootfs_kit.tree.entry import Entry, Kind
from rootfs_kit.tree.index import Extra, Index, Row
from rootfs_kit.tree.openat import open_in_root
from rootfs_kit.tree.paths import basename, join, parent, shown

READ_HINT = "Run as a user who may read it, or judge a tar of the tree."
OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


class DirectorySource:
    """Holds the root directory open for as long as the tree is in use."""

    kind = "directory"

    def __init__(self, root: Path, owed: Sequence[Entry] = ()) -> None:
        self._owed = owed
        try:
            self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except NotADirectoryError as error:
            raise UsageError(f"opening {root}", "it is not a directory", "Name the rootfs's directory.") from error
        except FileNotFoundError as error:
            raise UsageError(f"opening {root}", "there is no such directory", "Name the rootfs's directory.") from error
        except OSError as error:
            raise CouldNotLook(f"opening {root}", error.strerror or str(error), READ_HINT) from error

    def __del__(self) -> None:
        if hasattr(self, "_root"):
            os.close(self._root)

    def scan(self) -> Index:
        """Every entry below the root. What cannot be entered is noted; what vanishes meanwhile was never there."""
        index = Index(row_of(os.fstat(self._root), None))
        waiting = ["/"]
        while waiting:
            path = waiting.pop()
            try:
                index.directories[path] = self._scan_directory(path, index, waiting)
            except FileNotFoundError:
                continue
            except OSError as error:
                index.unreadable[path] = error.strerror or str(error)
        for entry in self._owed:
            rows = index.directories.get(parent(entry.path), {})
            rows.setdefault(basename(entry.path), _row_of_node(entry))
        return index

    def _scan_directory(self, path: str, index: Index, waiting: list[str]) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        descriptor = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            with os.scandir(descriptor) as listing:
                for found in listing:
                    try:
                        status = found.stat(follow_symlinks=False)
                        rows[found.name] = row_of(status, _link_text(descriptor, found.name, status))
                    except FileNotFoundError:
                        continue
                    except OSError as error:
                        index.unreadable[join(path, found.name)] = error.strerror or str(error)
                        continue
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(join(path, found.name))
        finally:
            os.close(descriptor)
        return rows

    def open(self, entry: Entry) -> BinaryIO:
        """The content of a regular file. Raises CouldNotLook, NotARegularFile."""
        try:
            descriptor = open_in_root(self._root, entry.path, OPEN_FLAGS)
        except OSError as error:
            raise CouldNotLook(f"reading {shown(entry.path)}", error.strerror or str(error), READ_HINT) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NotARegularFile(f"reading {shown(entry.path)}", "it is no regular file any more", "Look again.")
        return os.fdopen(descriptor, "rb")

    def xattrs(self, entry: Entry) -> Mapping[str, bytes]:
        """The extended attributes of an entry that is no link. Raises CouldNotLook."""
        try:
            # listxattr(2) refuses an O_PATH descriptor; through /proc it takes the file that the descriptor names.
            descriptor = open_in_root(self._root, entry.path, os.O_PATH | os.O_NOFOLLOW)
            try:
                place = f"/proc/self/fd/{descriptor}"
                return {name: os.getxattr(place, name) for name in os.listxattr(place)}
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno in (errno.ENOTSUP, errno.ENODATA):
                return {}
            raise CouldNotLook(
                f"reading the extended attributes of {shown(entry.path)}", error.strerror or str(error), READ_HINT
            ) from error


def _link_text(directory: int, name: str, status: os.stat_result) -> str | None:
    return os.readlink(name, dir_fd=directory) if stat.S_ISLNK(status.st_mode) else None


def _row_of_node(entry: Entry) -> Row:
    kind = stat.S_IFCHR if entry.kind is Kind.CHAR_DEVICE else stat.S_IFBLK
    return (kind | entry.mode, entry.uid, entry.gid, 0, entry.mtime, entry.device)


def row_of(status: os.stat_result, target: str | None) -> Row:
    """What the index keeps of a `lstat`."""
    mode = status.st_mode
    extra: Extra = target
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        extra = (os.major(status.st_rdev), os.minor(status.st_rdev))
    elif stat.S_ISREG(mode) and status.st_nlink > 1:
        extra = (status.st_nlink, status.st_dev, status.st_ino)
    return (mode, status.st_uid, status.st_gid, status.st_size, status.st_mtime, extra)
