"""The outer layout of an ELF file, read with `struct`: header, program headers, section headers.

Enough to answer which machine a file is for, or to find one section, at a hundredth of what a whole ELF library
costs: a rootfs holds thousands of these files. What stands inside the dynamic section is elf_dynamic.py's business.
Layouts and numbers are those of elf(5) and the System V ABI.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import IntEnum
from typing import BinaryIO, NamedTuple

from rootfs_kit.errors import CouldNotLook, RootfsKitError
from rootfs_kit.tree.paths import shown

MAGIC = b"\x7fELF"
IDENTITY_SIZE = 16
LARGEST_HEADER = 64
SECTION_COUNT_ELSEWHERE = 0
NAMES_INDEX_ELSEWHERE = 0xFFFF
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 1, 2, 3, 0x6474E551
# A table of headers, a table of names: those of the largest kernels have some megabytes.
LARGEST_PART = 64 << 20

# Gives `size` bytes from `offset` on, fewer at the end of the file.
ReadAt = Callable[[int, int], bytes]


class NotElf(RootfsKitError):
    """The file is no ELF file at all: a script, a text, an empty file."""


class CorruptElf(CouldNotLook):
    """The file begins as an ELF file and contradicts itself, or ends too early."""


class ElfType(IntEnum):
    """The `e_type` of a file that can be run, loaded or linked."""

    RELOCATABLE = 1
    EXECUTABLE = 2
    SHARED = 3
    CORE = 4


class Table(NamedTuple):
    """Where a table of headers is: its offset and the size of one entry in bytes, and the number of entries."""

    offset: int
    entry_size: int
    entries: int


class ElfHeader(NamedTuple):
    """The file header. `bits` is 32 or 64, `order` is struct's sign for the byte order."""

    name: str
    bits: int
    order: str
    type: int
    machine: int
    segments: Table
    sections: Table
    names_index: int


class Segment(NamedTuple):
    """One program header: what the kernel or the dynamic loader maps or reads.

    Offset, and size in the file, in bytes.
    """

    type: int
    flags: int
    offset: int
    address: int
    size: int


class Section(NamedTuple):
    """One section header, with its name looked up. Offset and size in bytes."""

    name: bytes
    type: int
    offset: int
    size: int


def reader_of(stream: BinaryIO) -> ReadAt:
    """Read at offsets of an open file. What lies beyond its end is never asked for, however large a header says."""
    end = stream.seek(0, 2)

    def read_at(offset: int, size: int) -> bytes:
        if offset >= end:
            return b""
        stream.seek(offset)
        return stream.read(min(size, end - offset))

    return read_at


def corrupt(name: str, found: str) -> CorruptElf:
    return CorruptElf(
        f"reading the ELF file {shown(name)}", found, "The file is damaged or cut short; install it again."
    )


def read_header(head: bytes, name: str) -> ElfHeader:
    """Understand the first bytes (64 or more) of a file; `name` is what errors call it.

    Raises NotElf for a file without the magic, CorruptElf for one that is cut short or of an unknown class.
    """
    if not head.startswith(MAGIC):
        raise NotElf(f"reading {shown(name)}", _what_it_is(head), "Only ELF programs and libraries can be judged here.")
    if len(head) < IDENTITY_SIZE or head[4] not in (1, 2) or head[5] not in (1, 2):
        raise corrupt(name, "its identification is cut short or of no known class")
    bits, order = 32 * head[4], "<" if head[5] == 1 else ">"
    layout = struct.Struct(order + ("HHIQQQIHHHHHH" if bits == 64 else "HHIIIIIHHHHHH"))
    if len(head) < IDENTITY_SIZE + layout.size:
        raise corrupt(name, "it ends inside its header")
    fields = layout.unpack_from(head, IDENTITY_SIZE)
    return ElfHeader(
        name=name, bits=bits, order=order, type=fields[0], machine=fields[1],
        segments=Table(fields[4], fields[8], fields[9]),
        sections=Table(fields[5], fields[10], fields[11]),
        names_index=fields[12],
    )  # fmt: skip


def read_segments(header: ElfHeader, read_at: ReadAt) -> tuple[Segment, ...]:
    """All program headers. Raises CorruptElf when the table is not wholly in the file."""
    layout = struct.Struct(header.order + ("IIQQQQQQ" if header.bits == 64 else "IIIIIIII"))
    rows = _rows(header, header.segments, layout, read_at)
    if header.bits == 64:
        return tuple(Segment(row[0], row[1], row[2], row[3], row[5]) for row in rows)
    return tuple(Segment(row[0], row[6], row[1], row[2], row[4]) for row in rows)


def read_sections(header: ElfHeader, read_at: ReadAt) -> tuple[Section, ...]:
    """All section headers with their names; none where the file has no section table.

    Raises CorruptElf when the table or the table of names is not wholly in the file.
    """
    rows, names = _section_rows(header, read_at)
    return tuple(Section(_text_at(names, row[0]), row[1], row[4], row[5]) for row in rows)


def find_section(header: ElfHeader, name: bytes, read_at: ReadAt) -> Section | None:
    """The first section of that name: for those who read thousands of files and want one section of each."""
    rows, names = _section_rows(header, read_at)
    text = name + b"\0"
    row = next((row for row in rows if names.startswith(text, row[0])), None)
    return Section(name, row[1], row[4], row[5]) if row else None


def read_exactly(header: ElfHeader, offset: int, size: int, read_at: ReadAt) -> bytes:
    """`size` bytes from `offset` on. Raises CorruptElf when the file ends before that."""
    if size > LARGEST_PART:
        raise corrupt(header.name, f"its headers speak of a part of {size} bytes")
    content = read_at(offset, size)
    if len(content) != size:
        raise corrupt(header.name, f"it ends before byte {offset + size}, which its headers speak of")
    return content


def _section_rows(header: ElfHeader, read_at: ReadAt) -> tuple[list[tuple[int, ...]], bytes]:
    """The section headers as they stand, and the table of their names."""
    if not header.sections.offset:
        return [], b""
    layout = struct.Struct(header.order + ("IIQQQQIIQQ" if header.bits == 64 else "IIIIIIIIII"))
    table, names_index = header.sections, header.names_index
    if table.entries == SECTION_COUNT_ELSEWHERE or names_index == NAMES_INDEX_ELSEWHERE:
        first = _rows(header, table._replace(entries=1), layout, read_at)[0]
        table = table._replace(entries=table.entries or first[5])
        names_index = first[6] if names_index == NAMES_INDEX_ELSEWHERE else names_index
    rows = _rows(header, table, layout, read_at)
    if names_index >= len(rows):
        raise corrupt(header.name, f"its table of section names is section {names_index} of {len(rows)}")
    return rows, read_exactly(header, rows[names_index][4], rows[names_index][5], read_at)


def _rows(header: ElfHeader, table: Table, layout: struct.Struct, read_at: ReadAt) -> list[tuple[int, ...]]:
    if table.entries and table.entry_size != layout.size:
        raise corrupt(header.name, f"its headers are {table.entry_size} bytes each instead of {layout.size}")
    return list(layout.iter_unpack(read_exactly(header, table.offset, table.entries * layout.size, read_at)))


def _text_at(names: bytes, offset: int) -> bytes:
    end = names.find(b"\0", offset)
    return names[offset : end if end >= 0 else None]


def _what_it_is(head: bytes) -> str:
    if not head:
        return "it is empty"
    if head.startswith(b"#!"):
        return f"it is a script ({shown(head[:60].splitlines()[0].decode(errors='replace'))})"
    return f"it begins with {head[:4].hex(' ')}, which no ELF file does"
