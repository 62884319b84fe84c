"""One package as rpm's databases keep it: a header, the same in every kind of database.

A header is two counts, an index of 16-byte entries (tag, type, offset, count; all big-endian) and the data that the
offsets point into (rpm's docs/manual/format_header.md). Everything in it is checked against the header's own size.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from rootfs_kit.tree.packages.model import Package, Provided

NAME = 1000
VERSION = 1001
RELEASE = 1002
EPOCH = 1003
SIZE = 1009
ARCH = 1022
SOURCE_RPM = 1044
PROVIDE_NAME = 1047
PROVIDE_VERSION = 1113
LONG_SIZE = 5009

MAX_ENTRIES = 0xFFFF
"""Of an index; rpm refuses more (lib/header.cc, hdrchkTags)."""

_COUNTS = struct.Struct(">II")
_ENTRY = struct.Struct(">IIII")
NUMBERS = {4: struct.Struct(">I"), 5: struct.Struct(">Q")}
"""INT32 and INT64, by their codes."""

TEXTS = dict.fromkeys((6, 8, 9), struct.Struct("B"))
"""STRING, STRING_ARRAY and I18NSTRING, which are all texts that end with NUL; each takes a byte at least."""

_WANTED = frozenset((NAME, VERSION, RELEASE, EPOCH, SIZE, ARCH, SOURCE_RPM, PROVIDE_NAME, PROVIDE_VERSION, LONG_SIZE))

IndexEntry = tuple[int, int, int]


class DamagedRecord(ValueError):
    """A part of a database breaks its format; the text says how, as the end of a sentence."""


def parse_header(blob: bytes) -> Package:
    """The package that the header describes. Raises DamagedRecord."""
    header = _Header(blob)
    name = header.text(NAME)
    version = header.text(VERSION)
    if not name or not version:
        raise DamagedRecord("the header has no name and version")
    source, source_version = _source(header.text(SOURCE_RPM))
    return Package(
        name,
        _evr(header.number(EPOCH) or 0, version, header.text(RELEASE)),
        header.text(ARCH),
        source,
        installed_size=header.number(LONG_SIZE, SIZE),
        provides=_provides(header.texts(PROVIDE_NAME), header.texts(PROVIDE_VERSION)),
        source_version=source_version,
    )


class _Header:
    def __init__(self, blob: bytes) -> None:
        if len(blob) < _COUNTS.size:
            raise DamagedRecord(f"a header of {len(blob)} bytes is too short for its counts")
        entries, data_size = _COUNTS.unpack_from(blob)
        data_start = _COUNTS.size + entries * _ENTRY.size
        if not 0 < entries <= MAX_ENTRIES or data_start + data_size > len(blob):
            raise DamagedRecord(f"a header of {len(blob)} bytes claims {entries} entries and {data_size} bytes of data")
        self._data = blob[data_start : data_start + data_size]
        self._entries: dict[int, IndexEntry] = {}
        for tag, kind, offset, count in _ENTRY.iter_unpack(blob[_COUNTS.size : data_start]):
            if tag in _WANTED:
                self._entries.setdefault(tag, (kind, offset, count))

    def text(self, tag: int) -> str:
        """Empty where the header does not have the tag."""
        return next(iter(self.texts(tag)), "")

    def texts(self, tag: int) -> list[str]:
        """None where the header does not have the tag."""
        entry = self._entry(tag, TEXTS)
        if entry is None:
            return []
        _, position, count = entry
        found: list[str] = []
        for _ in range(count):
            end = self._data.find(b"\0", position)
            if end < 0:
                raise DamagedRecord(f"a text of tag {tag} of the header has no end")
            found.append(self._data[position:end].decode("utf-8", "surrogateescape"))
            position = end + 1
        return found

    def number(self, *tags: int) -> int | None:
        """The number of the first of `tags` that the header has."""
        for tag in tags:
            entry = self._entry(tag, NUMBERS)
            if entry is not None:
                return int(NUMBERS[entry[0]].unpack_from(self._data, entry[1])[0])
        return None

    def _entry(self, tag: int, kinds: Mapping[int, struct.Struct]) -> IndexEntry | None:
        """The entry of `tag`, its value known to begin inside the data and to have the right type."""
        entry = self._entries.get(tag)
        if entry is None:
            return None
        kind, offset, count = entry
        if kind not in kinds or count == 0:
            raise DamagedRecord(f"tag {tag} of the header is of type {kind} and count {count}")
        if offset + count * kinds[kind].size > len(self._data):
            raise DamagedRecord(f"tag {tag} of the header lies outside of its data")
        return entry


def _evr(epoch: int, version: str, release: str) -> str:
    return f"{epoch}:{version}-{release}" if epoch else f"{version}-{release}"


def _source(source_rpm: str) -> tuple[str, str]:
    """Name and version of "name-version-release.src.rpm"; empty for what is not of that form."""
    parts = source_rpm.removesuffix(".rpm").rpartition(".")[0].rsplit("-", 2)
    return (parts[0], "-".join(parts[1:])) if len(parts) == 3 else ("", "")


def _provides(names: list[str], versions: list[str]) -> tuple[Provided, ...]:
    if len(versions) != len(names):
        versions = [""] * len(names)
    return tuple(map(Provided, names, versions))
