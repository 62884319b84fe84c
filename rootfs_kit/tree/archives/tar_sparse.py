"""Where the data of a sparse member of a tar lies: the four ways in which GNU tar writes it down.

Source: GNU tar's manual, "Storing Sparse Files": the old format (typeflag S), and the pax formats 0.0, 0.1 and 1.0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from rootfs_kit.errors import BadArchive
from rootfs_kit.tree.archives.media import Slice, read_exactly
from rootfs_kit.tree.archives.member import Piece
from rootfs_kit.tree.archives.tar_numbers import BLOCK, number
from rootfs_kit.tree.archives.tar_pax import DAMAGED, Records

MOST_PIECES = 1 << 20
OLD_MAP = slice(386, 482)
OLD_MORE = 482
OLD_REAL_SIZE = slice(483, 495)
EXTENSION_MAP = slice(0, 504)
EXTENSION_MORE = 504
_PAIR = struct.Struct("12s12s")


def old_map(header: bytes, part: Slice, offset: int, doing: str) -> tuple[tuple[Piece, ...], int]:
    """The pieces of a member of type S; and where its data begins, after the blocks that the map goes on in."""
    pairs = list(_pairs(header[OLD_MAP], doing))
    more = header[OLD_MORE]
    while more:
        block = read_exactly(part, offset, BLOCK, doing)
        offset += BLOCK
        pairs += _pairs(block[EXTENSION_MAP], doing)
        more = block[EXTENSION_MORE]
        _refuse_too_many(len(pairs), doing)
    return tuple(pairs), offset


def _pairs(data: bytes, doing: str) -> Iterable[Piece]:
    for offset, length in _PAIR.iter_unpack(data):
        if length[0]:
            yield number(offset, doing), number(length, doing)


def old_size(header: bytes, doing: str) -> int:
    return number(header[OLD_REAL_SIZE], doing)


def pax_map(records: Records, part: Slice, offset: int, doing: str) -> tuple[tuple[Piece, ...], int]:
    """The pieces that the pax records, or the beginning of the data itself, tell of; and where the data begins."""
    if records.get("GNU.sparse.major") == b"1":
        return _map_before_the_data(part, offset, doing)
    numbers = [_decimal(text, doing) for text in records.get("GNU.sparse.map", b"").split(b",")]
    return _paired(numbers, doing), offset


def _map_before_the_data(part: Slice, offset: int, doing: str) -> tuple[tuple[Piece, ...], int]:
    """Format 1.0: decimal numbers, one a line: how many pieces, then offset and length of each; to a whole block."""
    block = read_exactly(part, offset, BLOCK, doing)
    offset += BLOCK
    first, newline, _ = block.partition(b"\n")
    count = _decimal(first, doing) if newline else MOST_PIECES + 1
    _refuse_too_many(count, doing)
    blocks, lines = [block], block.count(b"\n")
    while lines < 1 + 2 * count:
        block = read_exactly(part, offset, BLOCK, doing)
        offset += BLOCK
        blocks.append(block)
        lines += block.count(b"\n")
    numbers = [_decimal(line, doing) for line in b"".join(blocks).split(b"\n", 1 + 2 * count)[1 : 1 + 2 * count]]
    return _paired(numbers, doing), offset


def _paired(numbers: list[int], doing: str) -> tuple[Piece, ...]:
    if len(numbers) % 2:
        raise BadArchive(doing, "the map of a sparse file is damaged", DAMAGED)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def checked_pieces(pieces: tuple[Piece, ...], size: int, stored: int, doing: str) -> tuple[Piece, ...]:
    """`pieces`, which must be in order, inside the file, and no more than is stored. Raises BadArchive."""
    end = 0
    for offset, length in pieces:
        if offset < end or length < 0 or offset + length > size:
            raise BadArchive(doing, "the map of a sparse file contradicts itself", DAMAGED)
        end = offset + length
    if sum(length for _, length in pieces) > stored:
        raise BadArchive(doing, "the map of a sparse file promises more data than there is", DAMAGED)
    return pieces


def _decimal(text: bytes, doing: str) -> int:
    if not text.isdigit() or len(text) > 20:
        raise BadArchive(doing, "the map of a sparse file is damaged", DAMAGED)
    return int(text)


def _refuse_too_many(count: int, doing: str) -> None:
    if count > MOST_PIECES:
        raise BadArchive(doing, f"a sparse file has more than {MOST_PIECES} pieces", DAMAGED)
