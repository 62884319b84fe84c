"""An archive as what a rootfs is recorded in: the index that its members make, and their contents where they lie."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import BinaryIO, cast

from rootfs_kit.errors import CouldNotLook, NotARegularFile
from rootfs_kit.tree.archives.content import Content
from rootfs_kit.tree.archives.growth import Growth
from rootfs_kit.tree.archives.media import Media, Slice
from rootfs_kit.tree.entry import Entry
from rootfs_kit.tree.index import Index
from rootfs_kit.tree.paths import shown

BUFFER = 1 << 16


class ArchiveSource:
    """Holds the files open that the archive is in, and the temporary one that it was decompressed into."""

    unreadable_hint = "Unpack the archive as the guest's tree will be made, and judge that directory."

    def __init__(self, kind: str, growth: Growth, media: Media) -> None:
        self.kind = kind
        self._index = growth.finish()
        self._sparse = growth.sparse
        self._xattrs = growth.xattrs
        self._media = media

    def lookup(self) -> Index:
        return self._index

    def scan(self) -> Index:
        return self._index

    def open(self, entry: Entry) -> BinaryIO:
        """The content of a regular file, read where it is in the archive. Raises CouldNotLook, NotARegularFile."""
        position = self._position(entry)
        medium, offset = self._media.at(position)
        pieces = self._sparse.get(position, ((0, entry.size),))
        return cast(BinaryIO, io.BufferedReader(Content(medium, offset, entry.size, pieces), BUFFER))

    def part(self, entry: Entry) -> Slice:
        """The content of a regular file as bytes of the archive. Raises CouldNotLook, NotARegularFile."""
        position = self._position(entry)
        if position in self._sparse:
            raise CouldNotLook(
                f"reading {shown(entry.path)}", "it is stored as a sparse file", "Make the archive again."
            )
        medium, offset = self._media.at(position)
        return Slice(medium, offset, entry.size)

    def _position(self, entry: Entry) -> int:
        if not entry.is_file or entry.file_id is None:
            raise NotARegularFile(f"reading {shown(entry.path)}", f"it is a {entry.kind}", "Only files have a content.")
        return entry.file_id[1]

    def xattrs(self, entry: Entry) -> Mapping[str, bytes]:
        """The extended attributes that the archive recorded."""
        key = entry.file_id[1] if entry.is_file and entry.file_id is not None else entry.path
        return self._xattrs.get(key, {})
