"""What a tree asks of whatever it is recorded in: a directory, an archive, one rootfs over another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO, Protocol

from rootfs_kit.tree.entry import Entry
from rootfs_kit.tree.index import Index


class Lookup(Protocol):
    """Answers about single paths, each spelt without links. `Index` is one that knows the whole tree."""

    def root_entry(self) -> Entry: ...

    def look(self, directory: str, name: str) -> Entry | None:
        """The entry `name` of a directory."""

    def directory(self, path: str) -> Entry | None:
        """The directory at exactly `path`, where that is known to be one."""

    def names(self, directory: str) -> list[str]:
        """In order; none where it is no directory, or one that cannot be read."""

    def why_unread(self, path: str) -> str | None:
        """The kernel's reason, of a path that was looked for; None where it could be looked at."""

    def why_lost(self, path: str) -> str | None:
        """Why an entry that the archive has for `path` will not be in the tree; None where there is none."""


class Source(Protocol):
    """What a rootfs is recorded in."""

    @property
    def kind(self) -> str: ...

    @property
    def unreadable_hint(self) -> str: ...

    def lookup(self) -> Lookup: ...

    def scan(self) -> Index: ...

    def open(self, entry: Entry) -> BinaryIO: ...

    def xattrs(self, entry: Entry) -> Mapping[str, bytes]: ...
