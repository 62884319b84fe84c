"""What one ELF file says of itself: the machine it is for, its loader, the libraries and symbol versions it needs.

Whether a rootfs satisfies those needs is elf_closure.py's question. The headers are read with elf_layout.py, and
elf_dynamic.py, which takes the layouts of pyelftools, is only imported when somebody asks for the dynamic section.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, BinaryIO

from rootfs_kit.tree.elf_layout import (
    MAGIC,
    PT_DYNAMIC,
    PT_GNU_STACK,
    PT_INTERP,
    PT_LOAD,
    CorruptElf,
    ElfType,
    NotElf,
    Section,
    Segment,
    corrupt,
    read_exactly,
    read_header,
    read_sections,
    read_segments,
    reader_of,
)

if TYPE_CHECKING:
    from rootfs_kit.tree.elf_dynamic import Dynamic
    from rootfs_kit.tree.tree import RootfsTree

__all__ = ["MAGIC", "CorruptElf", "ElfFile", "ElfType", "NotElf", "machine_name", "read_elf"]

Source = bytes | str | os.PathLike[str] | Callable[[], BinaryIO]

# One read that holds the header, the program headers and the interpreter's name of every program that a linker makes.
HEAD_SIZE = 4096
CHUNK = 1 << 20
PATH_MAX = 4096
"""limits.h; the kernel refuses a longer name of a loader (fs/binfmt_elf.c)."""

PF_X = 1
SHT_SYMTAB = 2
# UPX writes its l_info right behind the program headers: a checksum of four bytes, then this.
UPX_MAGIC = b"UPX!"
UPX_INFO_SIZE = 12

# (e_machine, bits, byte order) -> what `uname -m` says there; elf.h and the kernel's arch/*/Makefile (UTS_MACHINE).
MACHINES: Mapping[tuple[int, int, str], str] = {
    (2, 32, ">"): "sparc",
    (3, 32, "<"): "i686",
    (8, 32, "<"): "mips",
    (8, 32, ">"): "mips",
    (8, 64, "<"): "mips64",
    (8, 64, ">"): "mips64",
    (20, 32, ">"): "ppc",
    (21, 64, "<"): "ppc64le",
    (21, 64, ">"): "ppc64",
    (22, 32, ">"): "s390",
    (22, 64, ">"): "s390x",
    (40, 32, "<"): "armv7l",
    (40, 32, ">"): "armv7b",
    (43, 64, ">"): "sparc64",
    (62, 32, "<"): "x86_64",
    (62, 64, "<"): "x86_64",
    (183, 64, "<"): "aarch64",
    (183, 64, ">"): "aarch64_be",
    (243, 32, "<"): "riscv32",
    (243, 64, "<"): "riscv64",
    (258, 32, "<"): "loongarch32",
    (258, 64, "<"): "loongarch64",
}


def machine_name(number: int, bits: int, order: str) -> str:
    """The kernel's name of a machine, or "machine 183 (32-bit)" for one that has none here."""
    return MACHINES.get((number, bits, order), f"machine {number} ({bits}-bit)")


class ElfFile:
    """One ELF file, read as far as it is asked about; no file stays open in between.

    `source` is the content, a path of the host, or a function that opens the file. `name` is what errors call it.
    Making one raises NotElf; making or asking raises CorruptElf.
    """

    def __init__(self, source: Source, name: str | None = None) -> None:
        self._open, self.name = _opener(source), name or _name_of(source)
        with self._open() as stream:
            self._head = stream.read(HEAD_SIZE)
            self.header = read_header(self._head, self.name)

    @property
    def machine(self) -> str:
        """As `uname -m` says it: x86_64, aarch64, ppc64le, s390x, …"""
        return machine_name(self.header.machine, self.header.bits, self.header.order)

    @property
    def elf_class(self) -> int:
        """32 or 64 (bits)."""
        return self.header.bits

    @property
    def type(self) -> ElfType | int:
        """What kind of file it is; a bare number for the kinds that only some systems have."""
        return ElfType(self.header.type) if self.header.type in set(ElfType) else self.header.type

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        return read_segments(self.header, self._read_at)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        return read_sections(self.header, self._read_at)

    @cached_property
    def interpreter(self) -> str | None:
        """The dynamic loader that the kernel starts in the program's place; None for a static program or a library."""
        segment = self._segment(PT_INTERP)
        if segment is None:
            return None
        if segment.size > PATH_MAX:
            raise corrupt(self.name, f"the name of its loader has {segment.size} bytes, which no kernel takes")
        text = read_exactly(self.header, segment.offset, segment.size, self._read_at)
        return os.fsdecode(text.partition(b"\0")[0])

    @property
    def needed(self) -> tuple[str, ...]:
        return self.dynamic.needed

    @property
    def rpath(self) -> tuple[str, ...]:
        return self.dynamic.rpath

    @property
    def runpath(self) -> tuple[str, ...]:
        return self.dynamic.runpath

    @property
    def soname(self) -> str | None:
        return self.dynamic.soname

    @property
    def symbol_versions_needed(self) -> Mapping[str, tuple[str, ...]]:
        """The versions (GLIBC_2.38, …) that must be there, by the name of the library that must have them."""
        return self.dynamic.versions_needed

    @property
    def symbol_versions_offered(self) -> frozenset[str]:
        return self.dynamic.versions_offered

    @property
    def is_static(self) -> bool:
        """A program that the kernel alone can start: it has no loader and needs no library."""
        if self.interpreter is not None or self.header.type not in (ElfType.EXECUTABLE, ElfType.SHARED):
            return False
        return self.is_static_pie if self.header.type == ElfType.SHARED else not self.needed

    @property
    def is_static_pie(self) -> bool:
        """A static program that can be loaded anywhere, told from a library by DF_1_PIE.

        What has no dynamic section at all cannot be a library either; UPX makes such programs.
        """
        if self.interpreter is not None or self.header.type != ElfType.SHARED:
            return False
        return self._segment(PT_DYNAMIC) is None or (self.dynamic.is_program and not self.needed)

    @property
    def is_stripped(self) -> bool:
        return all(section.type != SHT_SYMTAB for section in self.sections)

    @property
    def has_debug_info(self) -> bool:
        return any(section.name.startswith((b".debug_", b".zdebug_")) for section in self.sections)

    @property
    def has_executable_stack(self) -> bool:
        """Whether the file asks for a stack that can be executed (PT_GNU_STACK with PF_X); silence is not asking."""
        stack = self._segment(PT_GNU_STACK)
        return stack is not None and bool(stack.flags & PF_X)

    @cached_property
    def is_upx_packed(self) -> bool:
        table = self.header.segments
        return UPX_MAGIC in self._read_at(table.offset + table.entries * table.entry_size, UPX_INFO_SIZE)

    @cached_property
    def is_cut_short(self) -> bool:
        """Whether the file ends before what the kernel is to map: it starts, and dies of SIGBUS."""
        end = max((segment.offset + segment.size for segment in self.segments if segment.type == PT_LOAD), default=0)
        return end > 0 and not self._read_at(end - 1, 1)

    @cached_property
    def dynamic(self) -> Dynamic:
        """What the dynamic section says; an empty one for a file without it."""
        from rootfs_kit.tree.elf_dynamic import read_dynamic

        with self._open() as stream:
            return read_dynamic(self.header, self.segments, reader_of(stream))

    def strings_contain(self, needle: bytes) -> bool:
        """Whether the file holds these bytes anywhere; read in pieces of one MiB."""
        with self._open() as stream:
            window = b""
            while chunk := stream.read(CHUNK):
                window = window[max(0, len(window) - len(needle) + 1) :] + chunk
                if needle in window:
                    return True
        return False

    def _segment(self, type: int) -> Segment | None:
        return next((segment for segment in self.segments if segment.type == type), None)

    def _read_at(self, offset: int, size: int) -> bytes:
        if offset + size <= len(self._head):
            return self._head[offset : offset + size]
        with self._open() as stream:
            return reader_of(stream)(offset, size)


def read_elf(tree: RootfsTree, path: str) -> ElfFile:
    """The ELF file that `path` leads to inside `tree`. Raises NotElf, CorruptElf, or CouldNotLook."""
    return ElfFile(partial(tree.open, path), path)


def _opener(source: Source) -> Callable[[], BinaryIO]:
    if isinstance(source, bytes):
        return partial(io.BytesIO, source)
    if isinstance(source, str | os.PathLike):
        return partial(open, source, "rb")  # type: ignore[return-value]
    return source


def _name_of(source: Source) -> str:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else "(unnamed)"
