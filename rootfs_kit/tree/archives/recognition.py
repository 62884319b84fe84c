"""What a file is, told by its bytes and not by its name; and what it is when it is no archive."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from rootfs_kit.errors import BadArchive
from rootfs_kit.tree.archives.compression import Codec, Stream, codec_of, decompress
from rootfs_kit.tree.archives.cpio import CpioEntry, after_zeros, is_cpio, read_compressed, read_initrd
from rootfs_kit.tree.archives.growth import Growth
from rootfs_kit.tree.archives.kernel_unpacker import unpack_initrd
from rootfs_kit.tree.archives.limits import MIB
from rootfs_kit.tree.archives.media import Media, Slice
from rootfs_kit.tree.archives.source import ArchiveSource
from rootfs_kit.tree.archives.tar import is_tar, read_tar
from rootfs_kit.tree.archives.tar_numbers import BLOCK
from rootfs_kit.tree.archives.tar_pax import DAMAGED
from rootfs_kit.tree.archives.tar_unpacker import unpack_tar

TAR, CPIO = "tar", "cpio"
HINT = "Name a directory, a tar, an initrd (cpio), a docker-save archive or an OCI image layout."
OTHERS = (
    (0, b"\x7fELF", "an ELF program"),
    (0, b"hsqs", "a squashfs image"),
    (1024, b"\xe2\xe1\xf5\xe0", "an erofs image"),
    (1080, b"\x53\xef", "an ext2, ext3 or ext4 image"),
    (0, b"XFSB", "an XFS image"),
    (514, b"HdrS", "a Linux kernel"),
    (0, b"QFI\xfb", "a qcow2 disk image"),
    (32769, b"CD001", "an ISO 9660 image"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"!<arch>\n", "an ar archive or a Debian package"),
    (0, b"\xed\xab\xee\xdb", "an RPM package"),
    (0, b"070707", "a cpio archive in an old format, which no kernel takes as an initrd"),
    (0, b"\xc7\x71", "a cpio archive in an old format, which no kernel takes as an initrd"),
    (510, b"\x55\xaa", "a disk image"),
    (0, b"#!", "a script"),
)
"""Offset, bytes there, and what has them (magic(5))."""


def read_archive(part: Slice, media: Media) -> ArchiveSource:
    """The tree in a tar or an initrd, compressed or not. Raises BadArchive for whatever else it is."""
    start = part.read_at(0, BLOCK)
    if is_cpio(start) and not is_tar(start):
        return _initrd(read_initrd(part, media), media)
    codec = _compression(start)
    if codec is None:
        return _tar(_checked(part, part.medium.name, ""), media)
    first = decompress(codec, part, 0, media)
    inside = first.content.read_at(0, BLOCK)
    if is_cpio(inside) and not is_tar(inside):
        rest = read_initrd(part, media, first.end)
        return _initrd(chain(read_compressed(first.content, media.budget), rest), media)
    return _tar(_joined(first, codec, part, media), media)


def tar_in(part: Slice, media: Media) -> Slice:
    """The plain tar in `part`, decompressed if need be. Raises BadArchive where it is none."""
    codec = _compression(part.read_at(0, BLOCK))
    if codec is None:
        return _checked(part, part.medium.name, "")
    return _joined(decompress(codec, part, 0, media), codec, part, media)


def _compression(start: bytes) -> Codec | None:
    """A tar begins with the name of its first member, which may look like anything."""
    return None if is_tar(start) else codec_of(start)


def _initrd(entries: Iterable[CpioEntry], media: Media) -> ArchiveSource:
    growth = Growth(media.budget)
    unpack_initrd(entries, growth)
    return ArchiveSource(CPIO, growth, media)


def _tar(part: Slice, media: Media) -> ArchiveSource:
    growth = Growth(media.budget)
    unpack_tar(read_tar(part, media.budget), growth)
    return ArchiveSource(TAR, growth, media)


def _joined(first: Stream, codec: Codec, part: Slice, media: Media) -> Slice:
    """The tar in a row of compressed streams, as gzip, xz and zstd join them. Raises BadArchive for junk behind."""
    stream = first
    while (end := after_zeros(part, stream.end)) < part.size:
        following = codec_of(part.read_at(end, BLOCK))
        if following is not codec:
            raise BadArchive(
                f"decompressing {part.medium.name} ({codec.name})", f"there is junk at byte {end}", DAMAGED
            )
        stream = decompress(codec, part, end, media)
    begun = first.content.start
    whole = Slice(first.content.medium, begun, stream.content.start + stream.content.size - begun)
    return _checked(whole, part.medium.name, f"{codec.name}, and what is in it is ")


def _checked(part: Slice, name: str, wrapping: str) -> Slice:
    if not is_tar(part.read_at(0, BLOCK)) and not _is_empty_tar(part):
        raise BadArchive(f"reading {name}", f"it is {wrapping}{_what_it_is(part)}", HINT)
    return part


def _is_empty_tar(part: Slice) -> bool:
    """Nothing but the end-of-archive marker; an image of a disk may begin with zeros too."""
    return 2 * BLOCK <= part.size <= MIB and after_zeros(part, 0) == part.size


def _what_it_is(part: Slice) -> str:
    """In words, for somebody who thought that it was an archive."""
    if not part.size:
        return "empty"
    for offset, magic, what in OTHERS:
        if part.read_at(offset, len(magic)) == magic:
            return what
    start = part.read_at(0, BLOCK)
    codec = codec_of(start)
    if codec is not None:
        return f"compressed once more, by {codec.name}"
    if all(byte >= 0x20 or byte in b"\t\n\r\f" for byte in start):
        return "a text, and no archive"
    return "nothing that is known"
