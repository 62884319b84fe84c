"""An initrd: cpio archives (newc), each plain or compressed, one after the other with zeros between them.

Read as the kernel does: Documentation/driver-api/early-userspace/buffer-format.rst, and init/initramfs.c.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Generator, Iterator
from typing import NamedTuple

from rootfs_kit.errors import BadArchive
from rootfs_kit.tree.archives.compression import MAGIC_SIZE, codec_of, decompress
from rootfs_kit.tree.archives.limits import MIB, Budget
from rootfs_kit.tree.archives.media import CHUNK, Media, Slice, read_exactly, truncated
from rootfs_kit.tree.archives.member import Member
from rootfs_kit.tree.archives.tar_pax import DAMAGED

NEWC, CRC = b"070701", b"070702"
OLD_FORMATS = (b"070707", b"\xc7\x71", b"\x71\xc7")
HEADER = 110
TRAILER = "TRAILER!!!"
PATH_MAX = 4096
MOST_ZEROS = 256 * MIB
"""Between archives, or at the end: a sparse file may hold terabytes of them."""
_FIELDS = struct.Struct(">13I")


class CpioEntry(NamedTuple):
    """`inode` is (major, minor, inode) and `names` how many names the inode has, of which some may be elsewhere;
    `why_lost` says why the kernel passes the entry over without looking at it."""

    member: Member
    inode: tuple[int, int, int]
    names: int
    why_lost: str | None = None

    @property
    def is_trailer(self) -> bool:
        return self.member.name == TRAILER


def is_cpio(start: bytes) -> bool:
    """Whether these first bytes begin a cpio archive that a kernel unpacks."""
    return start.startswith((NEWC, CRC))


def read_initrd(part: Slice, media: Media, offset: int = 0) -> Iterator[CpioEntry]:
    """The entries of all archives in `part` from `offset` on, in order; trailers too: no hard link reaches over one.

    Raises BadArchive for what is damaged or truncated, and for junk between the archives.
    """
    while (offset := after_zeros(part, offset)) < part.size:
        start = part.read_at(offset, MAGIC_SIZE)
        if start.startswith(b"0") and offset % 4 == 0:
            offset = yield from _read_archive(part, offset, media.budget)
            continue
        codec = codec_of(start)
        if codec is None:
            raise BadArchive(
                f"reading {part.medium.name} (initrd)",
                f"at byte {offset} there is neither a cpio archive nor a compression that is known",
                "Make the initrd again; parts of it begin at a multiple of four bytes.",
            )
        stream = decompress(codec, part, offset, media)
        yield from read_compressed(stream.content, media.budget)
        offset = stream.end


def read_compressed(content: Slice, budget: Budget) -> Iterator[CpioEntry]:
    """The entries in one decompressed stream. Raises BadArchive where anything else is in it."""
    end = yield from _read_archive(content, 0, budget)
    if end < content.size:
        raise BadArchive(
            f"reading {content.medium.name} (cpio)", f"at byte {end} there is something that is no cpio", DAMAGED
        )


def _read_archive(part: Slice, offset: int, budget: Budget) -> Generator[CpioEntry, None, int]:
    """The entries from `offset` on; returns where something else than an entry begins."""
    doing = f"reading {part.medium.name} (cpio)"
    while (offset := after_zeros(part, offset)) < part.size and part.read_at(offset, 1) == b"0":
        if offset % 4:
            raise BadArchive(doing, f"the entry at byte {offset} does not begin at a multiple of four", DAMAGED)
        entry, offset = _read_entry(part, offset, doing)
        budget.spend_entry(len(entry.member.name) + len(entry.member.link or ""))
        yield entry
    return offset


def _read_entry(part: Slice, offset: int, doing: str) -> tuple[CpioEntry, int]:
    header = part.read_at(offset, HEADER)
    fields = _fields(header, offset, doing)
    ino, mode, uid, gid, links, mtime, size, major, minor, device_major, device_minor, name_size, checksum = fields
    name_at = offset + HEADER
    body_at = -(-(name_at + name_size) // 4) * 4
    end = -(-(body_at + size) // 4) * 4
    if body_at + size > part.size:
        raise truncated(doing)
    why_lost = None
    if not 0 < name_size <= PATH_MAX or (stat.S_ISLNK(mode) and size > PATH_MAX):
        name, why_lost = "", f"its name or link is longer than {PATH_MAX} bytes, or missing"
    else:
        name = _name(read_exactly(part, name_at, name_size, doing), offset, doing)
        if size and not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            why_lost = "it holds data without being a file"
    link = None
    if stat.S_ISLNK(mode) and why_lost is None:
        link = os.fsdecode(read_exactly(part, body_at, size, doing).partition(b"\0")[0])
    elif header.startswith(CRC):
        _require_checksum(part, body_at, size, checksum, doing)
    device = (device_major, device_minor) if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else None
    member = Member(name, mode, uid, gid, size, mtime, part.position(body_at), link, False, device)
    return CpioEntry(member, (major, minor, ino), links, why_lost), end


def _fields(header: bytes, offset: int, doing: str) -> tuple[int, ...]:
    if header.startswith(OLD_FORMATS):
        raise BadArchive(doing, "it is in a format of cpio that the kernel does not take", "Use cpio -o -H newc.")
    if len(header) < HEADER:
        raise truncated(doing)
    try:
        if not is_cpio(header):
            raise ValueError
        return _FIELDS.unpack(bytes.fromhex(header[6:].decode("ascii")))
    except (ValueError, struct.error) as error:
        raise BadArchive(doing, f"the header at byte {offset} is damaged", DAMAGED) from error


def _name(data: bytes, offset: int, doing: str) -> str:
    if data[-1]:
        raise BadArchive(doing, f"the name of the entry at byte {offset} does not end", DAMAGED)
    return os.fsdecode(data.partition(b"\0")[0])


def _require_checksum(part: Slice, offset: int, size: int, checksum: int, doing: str) -> None:
    """The sum of all bytes of the content (cpio(5), "New CRC Format")."""
    chunks = Slice(part.medium, part.start + offset, size).chunks()
    total = sum(sum(chunk) for chunk in chunks if any(chunk))
    if total & 0xFFFFFFFF != checksum:
        raise BadArchive(doing, "the checksum of the content is wrong: it is damaged", DAMAGED)


def after_zeros(part: Slice, offset: int) -> int:
    """Where the first byte from `offset` on is that is not zero. Raises BadArchive where that is too far away."""
    begun, size = offset, 16
    while offset < part.size:
        data = part.read_at(offset, size)
        left = data.lstrip(b"\0")
        if left or not data:
            return offset + len(data) - len(left)
        offset += len(data)
        size = CHUNK
        if offset - begun > MOST_ZEROS:
            raise BadArchive(f"reading {part.medium.name}", f"more than {MOST_ZEROS // MIB} MiB of zeros", DAMAGED)
    return offset
