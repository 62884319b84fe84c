"""The stream as a cpio that the kernel unpacks as an initramfs: format newc.

The layout is that of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. It has no extended
attributes, and 32 bits for every number. Of a file with several names the last one carries the content, as GNU cpio
has it; the kernel takes either (init/initramfs.c, maybe_link).
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from typing import BinaryIO

from rootfs_kit.errors import BuildFailed
from rootfs_kit.output.stream import Member, copy_content
from rootfs_kit.tree import Kind, RootfsTree
from rootfs_kit.tree.paths import shown

MAGIC = b"070701"
TRAILER = "TRAILER!!!"
ALIGNMENT = 4
BLOCK = 512
LARGEST = 0xFFFFFFFF
TYPES = {
    Kind.FILE: stat.S_IFREG,
    Kind.DIRECTORY: stat.S_IFDIR,
    Kind.SYMLINK: stat.S_IFLNK,
    Kind.FIFO: stat.S_IFIFO,
    Kind.SOCKET: stat.S_IFSOCK,
    Kind.CHAR_DEVICE: stat.S_IFCHR,
    Kind.BLOCK_DEVICE: stat.S_IFBLK,
}


def write_cpio(members: Iterable[Member], tree: RootfsTree, output: BinaryIO) -> None:
    """Raises CouldNotLook, OSError, and BuildFailed for what the format cannot hold."""
    written = 0
    for member in members:
        size = _size(member)
        head = _head(member, size)
        output.write(head)
        if member.entry.target is not None:
            output.write(_bytes(member.entry.target))
        elif size:
            copy_content(tree, member, output)
        padding = -size % ALIGNMENT
        output.write(bytes(padding))
        written += len(head) + size + padding
    trailer = _record((0,) * 4 + (1,) + (0,) * 6, TRAILER)
    output.write(trailer + bytes(-(written + len(trailer)) % BLOCK))


def _size(member: Member) -> int:
    if member.entry.target is not None:
        return len(_bytes(member.entry.target))
    return member.entry.size if member.entry.is_file and member.is_last else 0


def _head(member: Member, size: int) -> bytes:
    entry = member.entry
    mode = TYPES[entry.kind] | entry.mode
    links = 2 if entry.is_directory else member.names
    device = (0, 0, *(entry.device or (0, 0)))
    fields = (member.number, mode, entry.uid, entry.gid, links, max(member.mtime, 0), size, *device)
    for value in fields:
        if value > LARGEST:
            raise BuildFailed(
                f"writing {shown(entry.path)} into the cpio", f"{value} does not fit into 32 bits", "Use --format tar."
            )
    return _record(fields, member.path)


def _record(fields: tuple[int, ...], name: str) -> bytes:
    """Magic, eleven fields, the length of the name with its zero byte, a checksum that newc does not use, the name."""
    text = _bytes(name) + b"\0"
    numbers = b"".join(b"%08X" % number for number in (*fields, len(text), 0))
    head = MAGIC + numbers + text
    return head + bytes(-len(head) % ALIGNMENT)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
