"""Compressed streams, told by their first bytes and decompressed one at a time into the spool.

One stream at a time, because an initrd is a row of them, each of its own kind, and the kernel goes on where one ends.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rootfs_kit.errors import BadArchive, RootfsKitError
from rootfs_kit.tree.archives.limits import MIB
from rootfs_kit.tree.archives.media import Media, Slice, truncated

XZ_MEMORY = 512 * MIB
ZSTD_WINDOW = 128 * MIB
OUTPUT = 1 << 18
MAGIC_SIZE = 12

Machine = Any
"""A decompressor object of one of the libraries: `eof` says that its stream has ended, `unused_data` what follows."""


@dataclass(frozen=True)
class Codec:
    """`magics` are the first bytes of a stream, `feed` how many bytes are handed over at once; no `start` where the
    format is known and cannot be read."""

    name: str
    magics: tuple[bytes, ...]
    program: str
    feed: int = 1 << 16
    start: Callable[[], Machine] | None = None
    step: Callable[[Machine, bytes], Iterator[bytes]] | None = None


def _step_zlib(machine: Machine, data: bytes) -> Iterator[bytes]:
    while not machine.eof:
        chunk = machine.decompress(data, OUTPUT)
        data = machine.unconsumed_tail
        yield chunk
        if not data and len(chunk) < OUTPUT:
            return


def _step_bounded(machine: Machine, data: bytes) -> Iterator[bytes]:
    yield machine.decompress(data, OUTPUT)
    while not machine.eof and not machine.needs_input:
        yield machine.decompress(b"", OUTPUT)


def _step_all(machine: Machine, data: bytes) -> Iterator[bytes]:
    yield machine.decompress(data)


def _start_zstd() -> Machine:
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()


def _start_gzip() -> Machine:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


def _start_xz() -> Machine:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def _start_lzma() -> Machine:
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=XZ_MEMORY)


CODECS = (
    Codec("gzip", (b"\x1f\x8b",), "gzip -d", start=_start_gzip, step=_step_zlib),
    Codec("xz", (b"\xfd7zXZ\0",), "xz -d", start=_start_xz, step=_step_bounded),
    # A block of four bytes may stand for 128 KiB, and this library has no bound on what one call returns.
    Codec(
        "zstd",
        (b"\x28\xb5\x2f\xfd", *(bytes((0x50 + low, 0x2A, 0x4D, 0x18)) for low in range(16))),
        "zstd -d",
        1 << 11,
        start=_start_zstd,
        step=_step_all,
    ),
    Codec("bzip2", (b"BZh",), "bzip2 -d", start=bz2.BZ2Decompressor, step=_step_bounded),
    Codec("lzma", (b"\x5d\0\0",), "lzma -d", start=_start_lzma, step=_step_bounded),
    Codec("lz4", (b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18"), "lz4 -d"),
    Codec("lzo", (b"\x89LZO\0\r\n\x1a\n",), "lzop -d"),
    Codec("lzip", (b"LZIP",), "lzip -d"),
)


def codec_of(start: bytes) -> Codec | None:
    """The compression that a stream with these first bytes is in; None where it is none that is known."""
    return next((codec for codec in CODECS if start.startswith(codec.magics)), None)


@dataclass(frozen=True)
class Stream:
    """A decompressed stream, and where in its source the next one begins."""

    content: Slice
    end: int


def decompress(codec: Codec, source: Slice, start: int, media: Media) -> Stream:
    """Decompress the stream at `start` of `source`.

    Raises BadArchive for a stream that is damaged, truncated, too large or of a kind that cannot be read.
    """
    doing = f"decompressing {source.medium.name} ({codec.name})"
    if codec.start is None or codec.step is None:
        raise BadArchive(doing, f"rootfs-kit cannot read {codec.name}", f"Decompress it first, with {codec.program}.")
    spool = media.spool()
    begun = spool.size
    machine, offset = codec.start(), start
    try:
        while not machine.eof:
            data = source.read_at(offset, codec.feed)
            if not data:
                raise truncated(doing)
            offset += len(data)
            for chunk in codec.step(machine, data):
                spool.append(chunk)
                media.budget.check_ratio(offset - start, spool.size - begun)
    except RootfsKitError:
        raise
    except Exception as error:
        raise _damaged(doing, error) from error
    return Stream(spool.slice_from(begun), offset - len(machine.unused_data))


def _damaged(doing: str, error: Exception) -> Exception:
    """Each library has exceptions of its own; those of the file system are not its."""
    import zstandard

    if isinstance(error, (zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError, ValueError)) or (
        isinstance(error, OSError) and error.errno is None
    ):
        return BadArchive(doing, f"it is damaged: {error}", "Fetch or make the archive again.")
    return error
