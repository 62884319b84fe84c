"""Compressors whose output is decided by their input alone, and which the kernel can undo (init/initramfs.c)."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, cast

from rootfs_kit.errors import UsageError
from rootfs_kit.request import Format

GZIP_LEVEL = 6
XZ_PRESET = 6
ZSTD_LEVEL = 6


class Compression(StrEnum):
    """The suffixes of file names that ask for it."""

    GZIP = ".gz"
    XZ = ".xz"
    ZSTD = ".zst"


# What stands for a tar and its compression together (tar(1), --auto-compress).
OF_TARS = {
    ".tgz": Compression.GZIP, ".taz": Compression.GZIP, ".txz": Compression.XZ, ".tzst": Compression.ZSTD,
}  # fmt: skip
OTHERS = {
    ".bz2": "bzip2", ".tbz": "bzip2", ".tbz2": "bzip2", ".tb2": "bzip2", ".tz2": "bzip2", ".lz": "lzip",
    ".lzma": "lzma", ".tlz": "lzma", ".lz4": "lz4", ".tlz4": "lz4", ".lzo": "lzop", ".tzo": "lzop", ".z": "compress",
    ".br": "brotli", ".zip": "zip", ".7z": "7-Zip",
}  # fmt: skip
"""Compressions that an archive's name may promise and that are not made here."""


def compression_of(path: Path) -> Compression | None:
    """What the name of an archive asks for. Raises UsageError for a compression that is not made."""
    suffix = path.suffix.lower()
    if suffix in OTHERS:
        raise UsageError(
            f"choosing how {path.name} is compressed",
            f"its suffix {path.suffix} means {OTHERS[suffix]}, which is not supported",
            f"Compressed are {', '.join((*Compression, *OF_TARS))}; without such a suffix, nothing is.",
        )
    return OF_TARS.get(suffix) or (Compression(suffix) if suffix in set(Compression) else None)


def format_of(path: Path) -> Format | None:
    """The kind of archive that a name promises; None where it promises none, or does not say which."""
    *_, before, last = ("", "", *[suffix.lower() for suffix in path.suffixes])
    kind = before if last in (*Compression, *OTHERS) else last
    if kind == ".tar" or last in OF_TARS:
        return Format.TAR
    return Format.CPIO if kind == ".cpio" else None


def is_name_of_archive(path: Path) -> bool:
    """Whether people would take what is called so for an archive."""
    return format_of(path) is not None or path.suffix.lower() in (*Compression, *OTHERS)


@contextmanager
def compressed(output: BinaryIO, compression: Compression | None) -> Iterator[BinaryIO]:
    """A stream that ends up in `output`, which stays open."""
    if compression is None:
        yield output
        return
    with _compressor(output, compression) as stream:
        yield stream


def _compressor(output: BinaryIO, compression: Compression) -> BinaryIO:
    if compression is Compression.GZIP:
        # Neither a name nor a time in the header (RFC 1952, 2.3).
        return cast(BinaryIO, gzip.GzipFile("", "wb", GZIP_LEVEL, output, mtime=0))
    if compression is Compression.XZ:
        # The only check that the kernel's decoder knows (kernel Documentation/staging/xz.rst).
        return cast(BinaryIO, lzma.LZMAFile(output, "wb", check=lzma.CHECK_CRC32, preset=XZ_PRESET))
    import zstandard

    # With no threads of its own: what several write depends on how the work falls to them.
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, threads=0).stream_writer(output, closefd=False)
