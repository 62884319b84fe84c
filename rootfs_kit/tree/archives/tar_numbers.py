"""Numbers in tar headers: octal text, or base 256 where octal is too short (tar(5), "Numeric Extensions")."""

from __future__ import annotations

from functools import lru_cache

from rootfs_kit.errors import BadArchive

BLOCK = 512
"""Bytes of a header, and what everything else is filled up to."""
BASE_256 = 0x80
NEGATIVE = 0xFF


@lru_cache(maxsize=1 << 12)
def number(field: bytes, doing: str) -> int:
    """The value of a field; an empty one is 0. Raises BadArchive. A tree has few modes, owners and times."""
    first = field[0]
    if first in (BASE_256, NEGATIVE):
        value = int.from_bytes(field[1:], "big")
        return value - (1 << 8 * (len(field) - 1)) if first == NEGATIVE else value
    text = field.partition(b"\0")[0].strip(b" ")
    if not text:
        return 0
    try:
        if not text.isdigit():
            raise ValueError
        return int(text, 8)
    except ValueError as error:
        raise BadArchive(doing, "a number in a header is damaged", "Fetch or make the archive again.") from error
