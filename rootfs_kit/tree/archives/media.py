"""Where the bytes of an archive are: files that are held open and read by offset, never mapped.

(A mapped file that somebody truncates ends the process with SIGBUS; a short read is an error that can be told.)
A place in all of them together is one number, a *position*, so that the index has one small value to keep per file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from rootfs_kit.errors import BadArchive, CouldNotLook, HostLacks
from rootfs_kit.tree.archives.limits import MIB, Budget

CHUNK = 1 << 20
OFFSET_BITS = 48
OFFSET_MASK = (1 << OFFSET_BITS) - 1
KEPT_FREE = 64 * MIB
"""What unpacking leaves free on the file system of temporary files."""
ASK_EVERY = 16 * MIB


class Medium:
    """One open file. `number` is its place among the media of an archive."""

    def __init__(self, number: int, file: BinaryIO, name: str) -> None:
        self.number = number
        self.name = name
        self._file = file

    def read_at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on, fewer only at the end. Raises CouldNotLook."""
        try:
            return os.pread(self._file.fileno(), size, offset)
        except OSError as error:
            raise CouldNotLook(f"reading {self.name}", error.strerror or str(error), "Look after the disk.") from error


@dataclass(frozen=True)
class Slice:
    """A run of bytes of a medium: a whole file, a decompressed stream, a layer inside an archive."""

    medium: Medium
    start: int
    size: int

    def read_at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` of the slice on, fewer only at its end. Raises CouldNotLook."""
        return self.medium.read_at(self.start + offset, max(0, min(size, self.size - offset)))

    def chunks(self) -> Iterator[bytes]:
        """All of it, in pieces. Raises CouldNotLook where the file is shorter than it was."""
        offset = 0
        while offset < self.size:
            chunk = self.read_at(offset, CHUNK)
            if not chunk:
                raise CouldNotLook(f"reading {self.medium.name}", "it became shorter meanwhile", "Look again.")
            offset += len(chunk)
            yield chunk

    def position(self, offset: int) -> int:
        """The one number for a place in this slice."""
        return self.medium.number << OFFSET_BITS | self.start + offset


class Media:
    """All files that one archive is read from, and the one that its compressed parts are decompressed into."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._media: list[Medium] = []
        self._spool: Spool | None = None

    def add(self, file: BinaryIO, name: str) -> Slice:
        """Hold the regular file `file` open, as long as this is held."""
        medium = Medium(len(self._media), file, name)
        self._media.append(medium)
        return Slice(medium, 0, os.fstat(file.fileno()).st_size)

    def spool(self) -> Spool:
        """What decompressed bytes are written to; made when it is first asked for. Raises HostLacks."""
        if self._spool is None:
            self._spool = _new_spool(self)
        return self._spool

    def at(self, position: int) -> tuple[Medium, int]:
        """The medium and the offset in it that a position means."""
        return self._media[position >> OFFSET_BITS], position & OFFSET_MASK


def _new_spool(media: Media) -> Spool:
    name = media.budget.name
    try:
        # It has no name from the beginning (O_TMPFILE), so that nothing is left behind, however this process ends.
        file = tempfile.TemporaryFile(prefix="rootfs-kit-")  # noqa: SIM115
    except OSError as error:
        raise HostLacks(
            f"decompressing {name}",
            f"no temporary file can be made: {error.strerror or error}",
            "Name a directory that can be written to: TMPDIR=/var/tmp",
        ) from error
    medium = media.add(file, f"the decompressed {name}").medium
    return Spool(file, medium, media.budget)


class Spool:
    """An unnamed temporary file that grows. Runs of zeros become holes: a bomb of zeros takes no space."""

    def __init__(self, file: BinaryIO, medium: Medium, budget: Budget) -> None:
        self._file = file
        self._medium = medium
        self._budget = budget
        self._unasked = 0
        self.size = 0

    def slice_from(self, start: int) -> Slice:
        """What was written since the spool was `start` bytes long."""
        self._extend()
        return Slice(self._medium, start, self.size - start)

    def append(self, chunk: bytes) -> None:
        """Raises BadArchive when the archive gets too large, HostLacks when the disk gets full."""
        self._budget.spend_unpacked(len(chunk))
        if chunk and (chunk[0] or chunk != bytes(len(chunk))):
            self._write(chunk)
        self.size += len(chunk)

    def _write(self, chunk: bytes) -> None:
        descriptor = self._file.fileno()
        self._unasked += len(chunk)
        try:
            if self._unasked > ASK_EVERY:
                self._unasked = 0
                self._refuse_to_fill(descriptor)
            written = 0
            while written < len(chunk):
                written += os.pwrite(descriptor, chunk[written:] if written else chunk, self.size + written)
        except OSError as error:
            raise self._full(error.strerror or str(error)) from error

    def _refuse_to_fill(self, descriptor: int) -> None:
        status = os.fstatvfs(descriptor)
        if status.f_bavail * status.f_frsize < KEPT_FREE:
            raise self._full("the disk is nearly full")

    def _extend(self) -> None:
        try:
            os.ftruncate(self._file.fileno(), self.size)
        except OSError as error:
            raise self._full(error.strerror or str(error)) from error

    def _full(self, why: str) -> HostLacks:
        return HostLacks(
            f"decompressing {self._budget.name} into a temporary file in {tempfile.gettempdir()}",
            f"{why} (after {self.size // MIB} MiB)",
            "Name a directory on a larger disk: TMPDIR=/var/tmp",
        )


def read_exactly(part: Slice, offset: int, size: int, doing: str) -> bytes:
    """`size` bytes. Raises BadArchive where the slice ends before."""
    data = part.read_at(offset, size)
    if len(data) < size:
        raise truncated(doing)
    return data


def truncated(doing: str) -> BadArchive:
    return BadArchive(doing, "it is truncated", "Fetch or make the archive again.")
