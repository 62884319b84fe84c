"""One kernel module file: which machine and which kernel it was built for.

Both are read without reading the whole file: of a plain module only the header and its .modinfo section, of a
compressed one (.gz, .xz, .zst) no more than comes before the version magic is known.
"""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, NamedTuple

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree.elf import machine_name
from rootfs_kit.tree.elf_layout import (
    LARGEST_HEADER,
    MAGIC,
    ElfHeader,
    ElfType,
    find_section,
    read_exactly,
    read_header,
    reader_of,
)
from rootfs_kit.tree.paths import shown

SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")
GZIP, XZ, ZSTD = b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
CHUNK = 1 << 16
# Debug builds of GPU drivers come near it; what unpacks to more is an attack on whoever reads it.
LARGEST_MODULE = 1 << 30
# include/linux/vermagic.h: the release, which begins with a number, then the flags that matter.
LONGEST_VERMAGIC = 512
VERMAGIC = re.compile(rb"vermagic=(\d[^\0]{0,500}+)\0")
# `xz -9` takes 65 MiB, kernels are packed with dictionaries of 1 or 2 MiB; a forged header may ask for 4 GiB.
XZ_MEMORY = 80 << 20


class CorruptModule(CouldNotLook):
    """A module that cannot be unpacked, or is no relocatable ELF file."""


class ModuleIdentity(NamedTuple):
    """What a module is built for: `machine` as `uname -m` says it, `vermagic` as `modinfo` does (None: it has none)."""

    machine: str
    vermagic: str | None

    @property
    def kernel(self) -> str | None:
        """The kernel's release, which is the version magic's first word."""
        return self.vermagic.split()[0] if self.vermagic else None


def read_identity(stream: BinaryIO, name: str) -> ModuleIdentity:
    """Read the identity of a module, compressed or not, told by its first bytes as kmod does.

    `name` is what errors call it. Raises NotElf, CorruptElf or CorruptModule, all of which mean a damaged file.
    """
    head = stream.read(LARGEST_HEADER)
    stream.seek(0)
    if head.startswith(MAGIC) or not head.startswith((GZIP, XZ, ZSTD)):
        return _identity_by_section(stream, _module_header(head, name))
    with _unpacking(name):
        return _identity_by_search(_unpacked(stream, head), name)


def module_name(path: str) -> str | None:
    """The name that modprobe calls a module file by: no directory, no suffix, `_` for `-`. None for other files."""
    base = path.rpartition("/")[2]
    suffix = next((suffix for suffix in SUFFIXES if base.endswith(suffix)), None)
    return normalised(base[: -len(suffix)]) if suffix and base != suffix else None


def normalised(name: str) -> str:
    """`-` and `_` are one in module names (modprobe(8))."""
    return name.replace("-", "_")


def _module_header(head: bytes, name: str) -> ElfHeader:
    header = read_header(head, name)
    if header.type != ElfType.RELOCATABLE:
        raise CorruptModule(
            f"reading the module {shown(name)}", "it is an ELF file, but no relocatable one", "Copy the module again."
        )
    return header


def _identity_by_section(stream: BinaryIO, header: ElfHeader) -> ModuleIdentity:
    read_at = reader_of(stream)
    modinfo = find_section(header, b".modinfo", read_at)
    content = read_exactly(header, modinfo.offset, modinfo.size, read_at) if modinfo else b""
    return _identity(header, VERMAGIC.search(content))


def _identity_by_search(pieces: Iterator[bytes], name: str) -> ModuleIdentity:
    """Look for the text instead of the section: the section table comes last, and unpacking is what takes the time."""
    window = next(pieces, b"")
    header, seen = _module_header(window, name), len(window)
    found = VERMAGIC.search(window)
    for piece in pieces:
        if found:
            break
        seen += len(piece)
        if seen > LARGEST_MODULE:
            raise CorruptModule(
                f"unpacking the module {shown(name)}", "it grows beyond one GiB", "Look at where it came from."
            )
        window = window[-LONGEST_VERMAGIC:] + piece
        found = VERMAGIC.search(window)
    return _identity(header, found)


def _identity(header: ElfHeader, found: re.Match[bytes] | None) -> ModuleIdentity:
    machine = machine_name(header.machine, header.bits, header.order)
    return ModuleIdentity(machine, found[1].decode(errors="replace") if found else None)


def _unpacked(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    """The content in pieces of 64 KiB or less, so that whoever has seen enough can stop."""
    if head.startswith(GZIP):
        return iter(partial(gzip.GzipFile(fileobj=stream).read, CHUNK), b"")
    if head.startswith(XZ):
        return _unpacked_xz(stream)
    import zstandard

    return iter(partial(zstandard.ZstdDecompressor().stream_reader(stream).read, CHUNK), b"")


def _unpacked_xz(stream: BinaryIO) -> Iterator[bytes]:
    decompressor = lzma.LZMADecompressor(memlimit=XZ_MEMORY)
    while not decompressor.eof:
        packed = stream.read(CHUNK) if decompressor.needs_input else b""
        if decompressor.needs_input and not packed:
            raise EOFError("it ends too early")
        yield decompressor.decompress(packed, CHUNK)


@contextmanager
def _unpacking(name: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise _cannot_unpack(name, error) from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":  # zstandard is only imported where a module needs it
            raise
        raise _cannot_unpack(name, error) from error


def _cannot_unpack(name: str, error: Exception) -> CorruptModule:
    return CorruptModule(f"unpacking the module {shown(name)}", f"{error}", "Copy the module again.")
