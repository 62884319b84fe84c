"""The content of one file in an archive, read at random."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree.archives.media import Medium
from rootfs_kit.tree.archives.member import Piece

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Content(io.RawIOBase):
    """`size` bytes: the data at `offset` of `medium`, spread over `pieces`; between the pieces are zeros."""

    def __init__(self, medium: Medium, offset: int, size: int, pieces: Sequence[Piece]) -> None:
        self._medium = medium
        self._size = size
        self._place = 0
        self._pieces = [piece for piece in pieces if piece[1]]
        self._starts = [logical for logical, _ in self._pieces]
        self._offsets: list[int] = []
        for _, length in self._pieces:
            self._offsets.append(offset)
            offset += length

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._place = base + offset
        return self._place

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Raises CouldNotLook where the archive became shorter."""
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._size - self._place))
        if not wanted:
            return 0
        data = self._next(wanted)
        view[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _next(self, wanted: int) -> bytes:
        """Some of the bytes from here on, at least one."""
        index = bisect_right(self._starts, self._place) - 1
        if index >= 0:
            logical, length = self._pieces[index]
            into = self._place - logical
            if into < length:
                return self._stored(self._offsets[index] + into, min(wanted, length - into))
        following = self._starts[index + 1] if index + 1 < len(self._starts) else self._size
        return bytes(min(wanted, following - self._place))

    def _stored(self, offset: int, size: int) -> bytes:
        data = self._medium.read_at(offset, size)
        if not data:
            raise CouldNotLook(f"reading {self._medium.name}", "it became shorter meanwhile", "Look again.")
        return data
