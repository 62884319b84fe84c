"""Single paths of a directory of this host, without a scan: each directory is listed when it is first looked into.

A dozen assertions about a large tree cost the dozen directories on their way. What walks through a tree or counts it
needs the scan (scan.py), which then answers everything.
"""

from __future__ import annotations

import os

from rootfs_kit.tree.entry import Entry
from rootfs_kit.tree.index import Row, entry_of
from rootfs_kit.tree.openat import open_in_root
from rootfs_kit.tree.paths import basename, join, parent
from rootfs_kit.tree.scan import DIRECTORY, row_of, rows_in


class Listing:
    """A `Lookup` below the directory `root`, a descriptor that stays open; it knows what it was asked about."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._row = row_of(os.fstat(root), None)
        self._directories: dict[str, dict[str, Row]] = {}
        self._unreadable: dict[str, str] = {}
        self._modes: dict[int, int] = {}

    def root_entry(self) -> Entry:
        return entry_of("/", self._row)

    def look(self, directory: str, name: str) -> Entry | None:
        row = self._rows_in(directory).get(name)
        return entry_of(join(directory, name), row) if row is not None else None

    def directory(self, path: str) -> Entry | None:
        """Only where it was listed before: what is on the way to any other may be links."""
        if path not in self._directories:
            return None
        return self.root_entry() if path == "/" else self.look(parent(path), basename(path))

    def names(self, directory: str) -> list[str]:
        return sorted(self._rows_in(directory))

    def why_unread(self, path: str) -> str | None:
        """Known of a directory that was looked into, and of what is in it."""
        return self._unreadable.get(path)

    def why_lost(self, path: str) -> None:
        """Nothing is: only archives hold what their unpacker would drop."""

    def _rows_in(self, path: str) -> dict[str, Row]:
        if path not in self._directories:
            self._directories[path] = self._list(path)
        return self._directories[path]

    def _list(self, path: str) -> dict[str, Row]:
        try:
            descriptor = open_in_root(self._root, path, DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            self._unreadable[path] = error.strerror or str(error)
            return {}
        try:
            return rows_in(descriptor, path, self._unreadable, self._modes)
        finally:
            os.close(descriptor)
