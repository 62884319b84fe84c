"""Compressors whose output is decided by their input alone, and which the kernel can undo (init/initramfs.c)."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, cast

GZIP_LEVEL = 6
XZ_PRESET = 6
ZSTD_LEVEL = 6


class Compression(StrEnum):
    """The suffixes of file names that ask for it."""

    GZIP = ".gz"
    XZ = ".xz"
    ZSTD = ".zst"


def compression_of(path: Path) -> Compression | None:
    """What the name of an archive asks for."""
    return Compression(path.suffix) if path.suffix in set(Compression) else None


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
