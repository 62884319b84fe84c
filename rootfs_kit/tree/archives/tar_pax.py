"""The extended headers of tar: POSIX pax records and what GNU tar, star and libarchive keep in them.

Sources: pax(1), "pax Extended Header"; tar(5) of libarchive; GNU tar's manual, "Sparse Formats".
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote

from rootfs_kit.errors import BadArchive

SCHILY = "SCHILY.xattr."
LIBARCHIVE = "LIBARCHIVE.xattr."
SELINUX = "RHT.security.selinux"
DAMAGED = "Fetch or make the archive again."
LENGTH = re.compile(rb"(\d{1,20}) ")

Records = dict[str, bytes]


def parse_records(data: bytes, doing: str) -> Iterator[tuple[str, bytes]]:
    """The records of an extended header, "LENGTH KEY=VALUE\\n" each, in order. Raises BadArchive."""
    place = 0
    data = data.rstrip(b"\0")
    while place < len(data):
        found = LENGTH.match(data, place)
        end = place + int(found.group(1)) if found else 0
        if found is None or end <= found.end() or data[end - 1 : end] != b"\n":
            raise BadArchive(doing, "an extended header is damaged", DAMAGED)
        key, sign, value = data[found.end() : end - 1].partition(b"=")
        if not sign:
            raise BadArchive(doing, "an extended header holds a record without a value", DAMAGED)
        yield key.decode("utf-8", "surrogateescape"), value
        place = end


def xattrs_of(records: Records, doing: str) -> dict[str, bytes]:
    """The extended attributes among the records of one member. Raises BadArchive."""
    found: dict[str, bytes] = {}
    for key, value in records.items():
        if key.startswith(LIBARCHIVE):
            found[unquote(key.removeprefix(LIBARCHIVE), errors="surrogateescape")] = _from_base64(value, doing)
    for key, value in records.items():
        if key.startswith(SCHILY):
            # GNU tar escapes what would end the key (xattr_encode_keyword in its src/xheader.c).
            found[key.removeprefix(SCHILY).replace("%3D", "=").replace("%25", "%")] = value
    if SELINUX in records:
        found.setdefault("security.selinux", records[SELINUX] + b"\0")
    return found


def _from_base64(value: bytes, doing: str) -> bytes:
    """libarchive leaves out the padding."""
    try:
        return binascii.a2b_base64(value.rstrip(b"=") + b"=" * (-len(value.rstrip(b"=")) % 4))
    except binascii.Error as error:
        raise BadArchive(doing, "an extended attribute is damaged", DAMAGED) from error


def whole_number(records: Records, key: str, otherwise: int, doing: str) -> int:
    """The decimal number of a record. Raises BadArchive."""
    text = records.get(key)
    if not text:
        return otherwise
    if not text.isdigit() or len(text) > 20:
        raise BadArchive(doing, f"{key} of an extended header is no number", DAMAGED)
    return int(text)


def seconds(records: Records, key: str, otherwise: float, doing: str) -> float:
    """The time of a record, in seconds since 1970. Raises BadArchive."""
    text = records.get(key)
    if not text:
        return otherwise
    if not re.fullmatch(rb"-?\d{1,18}(\.\d*)?", text):
        raise BadArchive(doing, f"{key} of an extended header is no time", DAMAGED)
    return float(text)
