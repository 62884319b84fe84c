"""What the dynamic section of an ELF file asks for, read as the dynamic loader does: by the addresses that are mapped.

Section headers, which a file may lack, are not needed for that (System V ABI, chapter 5; glibc's elf/dl-version.c).
The layouts are those of pyelftools. Its ELFFile, which builds them anew for every file and imports what reads debug
information, would cost ten times as much.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from elftools.elf.structs import ELFStructs

from rootfs_kit.tree.elf_layout import PT_DYNAMIC, PT_LOAD, ElfHeader, ReadAt, Segment, corrupt, read_exactly

# Far above what any library has; a damaged count must not keep the reader busy for hours.
MOST_ENTRIES = 10_000
MOST_TEXT = 16 << 20
"""Bytes of names in one file; they may overlap, so that a megabyte named ten thousand times is ten gigabytes."""
MOST_DIRECTORIES = 1000

DF_1_PIE = 0x08000000
VER_FLG_BASE, VER_FLG_WEAK = 1, 2


@dataclass(frozen=True)
class Dynamic:
    """The dynamic section, and the symbol versions that belong to it.

    `versions_needed` maps a library's name to the versions that must be there; weak ones are left out, as the
    loader starts a program without them. `versions_offered` is empty for a library without versions.
    """

    needed: tuple[str, ...] = ()
    soname: str | None = None
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    is_program: bool = False
    versions_needed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    versions_offered: frozenset[str] = frozenset()


def read_dynamic(header: ElfHeader, segments: Sequence[Segment], read_at: ReadAt) -> Dynamic:
    """What the file's dynamic section says; an empty one for a file without it.

    Raises CorruptElf for one that leads out of the file, or round in circles.
    """
    segment = next((segment for segment in segments if segment.type == PT_DYNAMIC), None)
    if segment is None:
        return Dynamic()
    return _Section(_Mapped(header, segments, read_at), segment).read()


@lru_cache(maxsize=4)
def _layouts(bits: int, order: str) -> Any:
    layouts = ELFStructs(little_endian=order == "<", elfclass=bits)
    layouts.create_basic_structs()
    layouts.create_advanced_structs()
    return layouts


class _Mapped:
    """A file as it is mapped. What is taken of it is counted, and ends in CorruptElf where it has no end."""

    def __init__(self, header: ElfHeader, segments: Sequence[Segment], read_at: ReadAt) -> None:
        self.header, self.layouts = header, _layouts(header.bits, header.order)
        self._parts = [segment for segment in segments if segment.type == PT_LOAD]
        self._read_at = read_at
        self._left = MOST_ENTRIES

    def bytes_at(self, address: int, size: int) -> bytes:
        return self.bytes_in_file(self._offset(address), size)

    def bytes_in_file(self, offset: int, size: int) -> bytes:
        return read_exactly(self.header, offset, size, self._read_at)

    def chain(self, layout: Any, address: int, next_one: str) -> Iterator[tuple[int, Any]]:
        """Structures, each of which says how many bytes behind its own address the next one is; 0 in the last."""
        size = layout.sizeof()
        while True:
            self._left -= 1
            if self._left < 0:
                raise self.endless()
            found = layout.parse(self.bytes_at(address, size))
            yield address, found
            if not found[next_one]:
                return
            address += found[next_one]

    def endless(self) -> Exception:
        return corrupt(self.header.name, "its parts refer to each other without end")

    def _offset(self, address: int) -> int:
        for part in self._parts:
            if part.address <= address < part.address + part.size:
                return address - part.address + part.offset
        raise corrupt(
            self.header.name, f"its dynamic section speaks of address {address:#x}, where nothing of it is mapped"
        )


class _Section:
    """The tags of a dynamic section, and the strings that they name by their place in one table."""

    def __init__(self, mapped: _Mapped, segment: Segment) -> None:
        self._mapped = mapped
        self._tags = list(_tags(mapped, segment))
        self._first = dict(reversed(self._tags))
        self._strings = self._string_table()
        self._text_left = MOST_TEXT

    def read(self) -> Dynamic:
        return Dynamic(
            needed=self._texts("DT_NEEDED"),
            soname=next(iter(self._texts("DT_SONAME")), None),
            rpath=self._directories("DT_RPATH"),
            runpath=self._directories("DT_RUNPATH"),
            is_program=bool(self._first.get("DT_FLAGS_1", 0) & DF_1_PIE),
            versions_needed=dict(self._versions_needed()),
            versions_offered=frozenset(self._versions_offered()),
        )

    def _string_table(self) -> bytes:
        size = self._first.get("DT_STRSZ", 0)
        return self._mapped.bytes_at(self._first["DT_STRTAB"], size) if size and "DT_STRTAB" in self._first else b""

    def _text(self, place: int) -> str:
        end = self._strings.find(b"\0", place)
        if end < 0:
            raise corrupt(self._mapped.header.name, f"its table of names ends before byte {place}, where a name is")
        self._text_left -= end - place
        if self._text_left < 0:
            raise self._mapped.endless()
        return os.fsdecode(self._strings[place:end])

    def _texts(self, tag: str) -> tuple[str, ...]:
        return tuple(self._text(value) for name, value in self._tags if name == tag)

    def _directories(self, tag: str) -> tuple[str, ...]:
        found = tuple(part for text in self._texts(tag) for part in text.split(":", MOST_DIRECTORIES) if part)
        if len(found) > MOST_DIRECTORIES:
            raise corrupt(self._mapped.header.name, f"it names more than {MOST_DIRECTORIES} directories to search")
        return found

    def _versions_needed(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        layouts = self._mapped.layouts
        for address, library in self._table("DT_VERNEED", layouts.Elf_Verneed, "vn_next"):
            versions = self._mapped.chain(layouts.Elf_Vernaux, address + library.vn_aux, "vna_next")
            names = [self._text(one.vna_name) for _, one in versions if not one.vna_flags & VER_FLG_WEAK]
            yield self._text(library.vn_file), tuple(names)

    def _versions_offered(self) -> Iterator[str]:
        layouts = self._mapped.layouts
        for address, version in self._table("DT_VERDEF", layouts.Elf_Verdef, "vd_next"):
            if not version.vd_flags & VER_FLG_BASE:
                _, name = next(self._mapped.chain(layouts.Elf_Verdaux, address + version.vd_aux, "vda_next"))
                yield self._text(name.vda_name)

    def _table(self, tag: str, layout: Any, next_one: str) -> Iterator[tuple[int, Any]]:
        return self._mapped.chain(layout, self._first[tag], next_one) if tag in self._first else iter(())


def _tags(mapped: _Mapped, segment: Segment) -> Iterator[tuple[str | int, int]]:
    """Each tag's name, or its number where it has none, and its value; up to the one that ends the section."""
    layout = mapped.layouts.Elf_Dyn
    count = min(segment.size // layout.sizeof(), MOST_ENTRIES)
    stream = io.BytesIO(mapped.bytes_in_file(segment.offset, count * layout.sizeof()))
    for _ in range(count):
        tag = layout.parse_stream(stream)
        if tag.d_tag == "DT_NULL":
            return
        yield tag.d_tag, tag.d_val
