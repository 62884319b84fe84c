"""rpm's databases written by the tests themselves, from the descriptions of the formats.

They know nothing of the readers, so that a wrong idea of a format shows. Where the real tools are at hand,
`real_rpm` makes the same databases with those.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from pathlib import Path

STRING, STRING_ARRAY, INT32, INT64 = 6, 8, 4, 5
PAGE, BLOCK = 4096, 16


def header(name="made", version="1.0", release="1", *, epoch=None, provides=(), more=()):
    """A header as rpm keeps it; `more` holds further (tag, type, value) entries."""
    entries = [(1000, STRING, name), (1001, STRING, version), (1002, STRING, release), (1022, STRING, "noarch")]
    if epoch is not None:
        entries.append((1003, INT32, epoch))
    if provides:
        entries.append((1047, STRING_ARRAY, [one for one, _ in provides]))
        entries.append((1113, STRING_ARRAY, [version for _, version in provides]))
    return header_of([*entries, *more])


def header_of(entries):
    index, data = b"", b""
    for tag, kind, value in sorted(entries, key=lambda entry: entry[0]):
        encoded, count, alignment = _encoded(kind, value)
        data += b"\0" * (-len(data) % alignment)
        index += struct.pack(">IIII", tag, kind, len(data), count)
        data += encoded
    return struct.pack(">II", len(entries), len(data)) + index + data


def _encoded(kind, value):
    if kind == INT32:
        return struct.pack(">I", value), 1, 4
    if kind == INT64:
        return struct.pack(">Q", value), 1, 8
    texts = value if kind == STRING_ARRAY else [value]
    return b"".join(text.encode() + b"\0" for text in texts), len(texts), 1


def sqlite_database(place: Path, headers) -> bytes:
    """rpmdb.sqlite at `place`, with rpm's own table; its content."""
    connection = sqlite3.connect(place)
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(header,) for header in headers])
    connection.commit()
    connection.close()
    return place.read_bytes()


def ndb_database(headers, *, slot_pages=1, gap=0) -> bytes:
    """Packages.db with the blobs in backward order and `gap` free blocks (a package that was removed) before each."""
    free = slot_pages * PAGE // BLOCK
    slots, blobs = [], b""
    for number, content in reversed(list(enumerate(headers, 1))):
        blob = ndb_blob(number, content)
        blobs += b"\0" * gap * BLOCK + blob
        slots += [(0, 0, 0)] * gap + [(number, free + gap, len(blob) // BLOCK)]
        free += gap + len(blob) // BLOCK
    slots += [(0, 0, 0)] * (slot_pages * PAGE // 16 - 2 - len(slots))
    front = struct.pack("<4sIIII12x", b"RpmP", 0, 7, slot_pages, len(headers) + 1)
    return front + b"".join(struct.pack("<4sIII", b"Slot", *slot) for slot in slots) + blobs


def ndb_blob(number, content) -> bytes:
    blob = struct.pack("<4sIII", b"BlbS", number, 7, len(content)) + content
    blob += b"\0" * (-(len(blob) + 12) % BLOCK)
    return blob + struct.pack("<II4s", zlib.adler32(blob), len(content), b"BlbE")
