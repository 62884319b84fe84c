"""One entry of a rootfs as it was recorded, whatever it was recorded in: a directory, a tar, a cpio."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What an entry is; the values are the words that findings use."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    FIFO = "FIFO"
    SOCKET = "socket"
    CHAR_DEVICE = "character device"
    BLOCK_DEVICE = "block device"


class Entry(NamedTuple):
    """What `lstat` would say of one path.

    `mode` holds the permission bits with setuid, setgid and sticky (at most 0o7777); `size` is in bytes; `mtime`
    in seconds since 1970; `target` is a symlink's text, undecoded bytes as surrogates; `device` is (major, minor)
    of a device node; `file_id` is (device, inode) where the source knows it, for hard links.
    """

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    mtime: float
    target: str | None = None
    device: tuple[int, int] | None = None
    links: int = 1
    file_id: tuple[int, int] | None = None

    @property
    def is_file(self) -> bool:
        return self.kind is Kind.FILE

    @property
    def is_directory(self) -> bool:
        return self.kind is Kind.DIRECTORY

    @property
    def is_symlink(self) -> bool:
        return self.kind is Kind.SYMLINK
