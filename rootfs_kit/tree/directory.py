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
from rootfs_kit.tree.index import Index, Row
from rootfs_kit.tree.listing import Listing
from rootfs_kit.tree.openat import open_in_root
from rootfs_kit.tree.paths import basename, parent, shown
from rootfs_kit.tree.scan import scan_directory
from rootfs_kit.tree.source import Lookup

READ_HINT = "Run as a user who may read it (or as root), or judge a tar of the tree."
OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


class DirectorySource:
    """Holds the root directory open for as long as the tree is in use."""

    kind = "directory"
    unreadable_hint = READ_HINT

    def __init__(self, root: Path, owed: Sequence[Entry] = ()) -> None:
        self._owed = owed
        doing = f"opening {shown(str(root))}"
        try:
            self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except NotADirectoryError as error:
            raise UsageError(doing, "it is not a directory", "Name the rootfs's directory.") from error
        except FileNotFoundError as error:
            raise UsageError(doing, "there is no such directory", "Name the rootfs's directory.") from error
        except OSError as error:
            raise CouldNotLook(doing, error.strerror or str(error), READ_HINT) from error

    def __del__(self) -> None:
        if hasattr(self, "_root"):
            os.close(self._root)

    def lookup(self) -> Lookup:
        return self.scan() if self._owed else Listing(self._root)

    def scan(self) -> Index:
        """Every entry below the root. What cannot be entered is noted; what vanishes meanwhile was never there."""
        index = scan_directory(self._root)
        for entry in self._owed:
            rows = index.directories.get(parent(entry.path), {})
            rows.setdefault(basename(entry.path), _row_of_node(entry))
        return index

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


def _row_of_node(entry: Entry) -> Row:
    kind = stat.S_IFCHR if entry.kind is Kind.CHAR_DEVICE else stat.S_IFBLK
    return (kind | entry.mode, entry.uid, entry.gid, 0, entry.mtime, entry.device)
