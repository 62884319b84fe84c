"""rpm's ndb database (Packages.db), which SUSE uses: slots that point to blobs, all in little-endian.

The file begins with a header and pages of slots; a slot names a package's number and the run of 16-byte blocks that
holds its blob; a blob has a head, the header, zeros, and a tail with a checksum (rpm, lib/backend/ndb/rpmpkg.c).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from rootfs_kit.tree.packages.rpm_header import DamagedRecord

PAGE = 4096
BLOCK = 16

_FILE = struct.Struct("<4sIIII")  # magic, version, generation, pages of slots, next number
_SLOT = struct.Struct("<4sIII")  # magic, number, first block, blocks
_HEAD = struct.Struct("<4sIII")  # magic, number, generation, size of the header
_TAIL = struct.Struct("<II4s")  # checksum, size of the header, magic
_FIRST_SLOT = 32


class Slot(NamedTuple):
    """Where the blob of the package of that number lies, in blocks."""

    number: int
    start: int
    blocks: int


def read_ndb(data: bytes) -> list[bytes]:
    """The headers in the database, in the order in which they lie there. Raises DamagedRecord."""
    if len(data) < PAGE:
        raise DamagedRecord(f"{len(data)} bytes are too few for an ndb database")
    magic, version, _, pages, _ = _FILE.unpack_from(data)
    if magic != b"RpmP" or version != 0:
        raise DamagedRecord("it is no ndb database of version 0")
    if not 0 < pages * PAGE <= len(data):
        raise DamagedRecord(f"{len(data)} bytes cannot hold {pages} pages of slots")
    slots = sorted(_slots(data, pages * PAGE), key=lambda slot: slot.start)
    _demand_order(slots, pages * PAGE // BLOCK, len(data) // BLOCK)
    return [_header(data, slot) for slot in slots]


def _slots(data: bytes, end: int) -> Iterator[Slot]:
    for magic, number, start, count in _SLOT.iter_unpack(data[_FIRST_SLOT:end]):
        if magic != b"Slot":
            raise DamagedRecord("a slot does not begin like one")
        if start:
            yield Slot(number, start, count)


def _demand_order(slots: list[Slot], first: int, last: int) -> None:
    """Blobs lie behind the slots, inside the file and beside each other; so no byte is ever read for two."""
    free = first
    for slot in slots:
        if slot.start < free:
            raise DamagedRecord(f"package {slot.number} lies where something else does")
        free = slot.start + slot.blocks
        if free > last:
            raise DamagedRecord(f"package {slot.number} lies behind the end of the file: it was cut short")


def _header(data: bytes, slot: Slot) -> bytes:
    blob = data[slot.start * BLOCK : (slot.start + slot.blocks) * BLOCK]
    if len(blob) < _HEAD.size + _TAIL.size:
        raise DamagedRecord(f"package {slot.number} has no room for a blob")
    magic, number, _, size = _HEAD.unpack_from(blob)
    checksum, size_again, end_magic = _TAIL.unpack_from(blob, len(blob) - _TAIL.size)
    if (magic, end_magic, number, size_again) != (b"BlbS", b"BlbE", slot.number, size):
        raise DamagedRecord(f"package {slot.number} has no whole blob where its slot points")
    if size > len(blob) - _HEAD.size - _TAIL.size or zlib.adler32(blob[: -_TAIL.size]) != checksum:
        raise DamagedRecord(f"package {slot.number} does not match its checksum")
    return blob[_HEAD.size : _HEAD.size + size]
