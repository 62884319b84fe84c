"""Members of gzip files, and the files in a tar archive, read from bytes that nobody may have vouched for yet.

Nothing is read but what is needed, sizes are bounded before memory is taken, and whatever is not as it should be is
refused: a strange header is no reason to guess.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from rootfs_kit.errors import BuildFailed

GZIP = 31  # zlib's manual, inflateInit2: the largest window, and a header and trailer of gzip's
BLOCK = 512
REGULAR = (b"0", b"\0")
# tar(5), "POSIX ustar Archives": where each field of a header is.
NAME, SIZE, CHECKSUM, TYPE, MAGIC, PREFIX = (
    slice(0, 100), slice(124, 136), slice(148, 156), slice(156, 157), slice(257, 263), slice(345, 500),
)  # fmt: skip
OCTAL = frozenset(b"01234567")


class Refused(BuildFailed):
    """What a mirror gave does not stand up to verification."""

    def __init__(self, what: str, found: str) -> None:
        super().__init__(f"verifying {what}", found, "The mirror may be broken, or lie: try another, --mirror URL.")


@dataclass(frozen=True)
class ArchivedFile:
    """A regular file in a tar archive."""

    name: str
    content: bytes


def inflate_member(data: bytes, most: int, what: str) -> tuple[bytes, bytes]:
    """The content of the first gzip member in `data`, and the raw bytes behind it.

    Raises Refused when it is damaged, or larger than `most` bytes; no more than those are ever inflated.
    """
    inflater = zlib.decompressobj(GZIP)
    try:
        content = inflater.decompress(data, most + 1)
    except zlib.error as error:
        raise Refused(what, f"it is no gzip file, or a damaged one ({error})") from error
    if len(content) > most:
        raise Refused(what, f"a part of it inflates to more than {most} bytes")
    if not inflater.eof:
        raise Refused(what, "it ends in the middle")
    return content, inflater.unused_data


def files_in(tar: bytes, what: str) -> Iterator[ArchivedFile]:
    """The regular files of a tar archive, which may lack the blocks of zeros at its end. Raises Refused."""
    position = 0
    while position < len(tar):
        header = tar[position : position + BLOCK]
        if not header.strip(b"\0"):
            return
        _require_header(header, what)
        start = position + BLOCK
        end = start + _number(header[SIZE], what)
        if end > len(tar):
            raise Refused(what, "it ends in the middle of a file")
        if header[TYPE] in REGULAR:
            yield ArchivedFile(_name(header), tar[start:end])
        position = end + -end % BLOCK


def _require_header(header: bytes, what: str) -> None:
    """tar(5): the sum of the header's bytes, where those of the checksum itself count as spaces."""
    if len(header) < BLOCK:
        raise Refused(what, "it ends in the middle of a header")
    total = sum(header) - sum(header[CHECKSUM]) + 8 * ord(" ")
    if _number(header[CHECKSUM], what) != total:
        raise Refused(what, "the checksum of a tar header in it is wrong")


def _number(field: bytes, what: str) -> int:
    digits = field.strip(b" \0")
    if not digits or not set(digits) <= OCTAL:
        raise Refused(what, "a number in a tar header is none")
    return int(digits, 8)


def _name(header: bytes) -> str:
    prefix = _text(header[PREFIX]) if header[MAGIC] == b"ustar\0" else ""
    name = f"{prefix}/{_text(header[NAME])}" if prefix else _text(header[NAME])
    return name.removeprefix("./")


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="surrogateescape")
