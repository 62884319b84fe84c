"""What one ELF file says of itself: the machine it is for, its loader, the libraries and symbol versions it needs.

Whether a rootfs satisfies those needs is elf_closure.py's question. The headers are read with elf_layout.py;
pyelftools, which takes a tenth of a second to import, only when somebody asks for the dynamic section.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree.elf_layout import (
    MAGIC,
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
    from rootfs_kit.tree.tree import RootfsTree

__all__ = ["MAGIC", "CorruptElf", "ElfFile", "ElfType", "NotElf", "machine_name", "read_elf"]

Source = bytes | str | os.PathLike[str] | Callable[[], BinaryIO]

# One read that holds the header, the program headers and the interpreter's name of every program that a linker makes.
HEAD_SIZE = 4096
CHUNK = 1 << 20
# Far above what any library has; a damaged count must not keep the reader busy for hours.
MOST_ENTRIES = 10_000
MOST_DIRECTORIES = 1000
SMALLEST_TAG = 8
PATH_MAX = 4096
"""limits.h; the kernel refuses a longer name of a loader (fs/binfmt_elf.c)."""
MOST_READ = 64 << 20
LEAST_READ = 64
"""Bytes: what one file may have read of it in all, and what each reading counts for at least."""

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 1, 2, 3, 0x6474E551
PF_X = 1
SHT_SYMTAB, SHT_DYNAMIC, SHT_GNU_VERDEF, SHT_GNU_VERNEED = 2, 6, 0x6FFFFFFD, 0x6FFFFFFE
DF_1_PIE = 0x08000000
VER_FLG_BASE, VER_FLG_WEAK = 1, 2
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
        """What pyelftools reads of the dynamic section; an empty one for a file without it."""
        segment = self._segment(PT_DYNAMIC)
        if segment is None:
            return Dynamic()
        sections = self.sections
        with self._open() as stream, _complaining(self.name):
            return _read_dynamic(cast("BinaryIO", _Measured(stream, self.name)), segment, sections)

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


@contextmanager
def _complaining(name: str) -> Iterator[None]:
    """Turn whatever pyelftools raises into one error.

    On a damaged file that may be an ELFError, an error of its parser, or any error of Python's; all of them mean
    that the file contradicts itself.
    """
    try:
        yield
    except (CouldNotLook, OSError):
        raise
    except Exception as error:
        raise corrupt(name, f"its dynamic section makes no sense ({type(error).__name__}: {error})") from error


class _Measured:
    """A stream that ends in CorruptElf once more was read than a sound file has to tell, or at an impossible place.

    Names may overlap: a megabyte without a NUL, named ten thousand times, is ten gigabytes of text.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.tell, self._seek, self._read, self._name = stream.tell, stream.seek, stream.read, name
        self._left = MOST_READ

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Raises CorruptElf for a place that no file has; lseek(2) says EINVAL of those beyond a filesystem's limit."""
        try:
            return self._seek(offset, whence)
        except (OSError, OverflowError, ValueError) as error:
            raise corrupt(self._name, f"its parts refer to byte {offset}, far outside of it") from error

    def read(self, size: int = -1) -> bytes:
        content = self._read(min(size, MOST_READ) if size >= 0 else MOST_READ)
        self._left -= max(len(content), LEAST_READ)
        if self._left < 0:
            raise corrupt(self._name, "its parts refer to each other without end")
        return content


def _read_dynamic(stream: BinaryIO, segment: Segment, sections: tuple[Section, ...]) -> Dynamic:
    """Ask pyelftools for the few sections that matter by their numbers: its own search builds every section."""
    from elftools.elf.elffile import ELFFile

    elf: Any = ELFFile(stream)
    numbers = {section.type: number for number, section in enumerate(sections)}
    number = numbers.get(SHT_DYNAMIC)
    is_found = number is not None and sections[number].offset == segment.offset
    table = elf.get_section(number) if is_found else next(elf.iter_segments("PT_DYNAMIC"))
    tags = list(islice(table.iter_tags(), min(segment.size // SMALLEST_TAG, MOST_ENTRIES)))

    def texts(tag: str, attribute: str) -> tuple[str, ...]:
        return tuple(_as_path(getattr(one, attribute)) for one in tags if one.entry.d_tag == tag)

    flags = next((one.entry.d_val for one in tags if one.entry.d_tag == "DT_FLAGS_1"), 0)
    return Dynamic(
        needed=texts("DT_NEEDED", "needed"),
        soname=next(iter(texts("DT_SONAME", "soname")), None),
        rpath=_directories(texts("DT_RPATH", "rpath")),
        runpath=_directories(texts("DT_RUNPATH", "runpath")),
        is_program=bool(flags & DF_1_PIE),
        versions_needed=_versions_needed(elf, numbers.get(SHT_GNU_VERNEED)),
        versions_offered=_versions_offered(elf, numbers.get(SHT_GNU_VERDEF)),
    )


def _directories(lists: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(part for text in lists for part in text.split(":", MOST_DIRECTORIES) if part)
    if len(found) > MOST_DIRECTORIES:
        raise ValueError(f"more than {MOST_DIRECTORIES} directories to search")
    return found


def _versions_needed(elf: Any, number: int | None) -> Mapping[str, tuple[str, ...]]:
    return {
        _as_path(library.name): tuple(one.name for one in versions if not one.entry.vna_flags & VER_FLG_WEAK)
        for library, versions in _version_entries(elf, number)
    }


def _versions_offered(elf: Any, number: int | None) -> frozenset[str]:
    return frozenset(
        names[0].name
        for version, names in _version_entries(elf, number)
        if names and not version.entry.vd_flags & VER_FLG_BASE
    )


def _version_entries(elf: Any, number: int | None) -> Iterator[tuple[Any, list[Any]]]:
    if number is None:
        return
    left = MOST_ENTRIES
    for entry, auxiliaries in islice(elf.get_section(number).iter_versions(), MOST_ENTRIES):
        details = list(islice(auxiliaries, left))
        left -= len(details)
        yield entry, details


def _as_path(text: str | bytes) -> str:
    return os.fsdecode(text) if isinstance(text, bytes) else text
