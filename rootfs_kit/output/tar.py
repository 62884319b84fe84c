"""The stream as a tar: POSIX.1-2001 (pax), with extended headers only where the plain one cannot say it.

Neither atime nor ctime, and numbers for owners. Extended attributes are SCHILY.xattr records, as GNU tar, bsdtar and
mmdebstrap write them. A socket has no place in a tar, and is left out as they do.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from typing import BinaryIO

from rootfs_kit.output.stream import Member, copy_content
from rootfs_kit.tree import Kind, RootfsTree

TYPES = {
    Kind.FILE: tarfile.REGTYPE,
    Kind.DIRECTORY: tarfile.DIRTYPE,
    Kind.SYMLINK: tarfile.SYMTYPE,
    Kind.FIFO: tarfile.FIFOTYPE,
    Kind.CHAR_DEVICE: tarfile.CHRTYPE,
    Kind.BLOCK_DEVICE: tarfile.BLKTYPE,
}
MOST_IN_7_DIGITS = 0o7777777
MOST_IN_11_DIGITS = 0o77777777777
LONGEST_LINK = 100
STAND_IN = "./PaxHeaders/member"


def write_tar(members: Iterable[Member], tree: RootfsTree, output: BinaryIO) -> None:
    """Raises CouldNotLook, OSError."""
    written = 0
    for member in members:
        if member.entry.kind not in TYPES:
            continue
        header = _header(member)
        output.write(header)
        written += len(header)
        if _has_content(member):
            copy_content(tree, member, output)
            padding = -member.entry.size % tarfile.BLOCKSIZE
            output.write(bytes(padding))
            written += member.entry.size + padding
    end = 2 * tarfile.BLOCKSIZE
    output.write(bytes(end + -(written + end) % tarfile.RECORDSIZE))


def _has_content(member: Member) -> bool:
    return member.entry.is_file and member.first is None


def _header(member: Member) -> bytes:
    info = tarfile.TarInfo(_name(member.path))
    entry = member.entry
    info.type = TYPES[entry.kind] if member.first is None else tarfile.LNKTYPE
    info.mode, info.uid, info.gid, info.mtime = entry.mode, entry.uid, entry.gid, member.mtime
    info.size = entry.size if _has_content(member) else 0
    info.linkname = entry.target or (_name(member.first) if member.first is not None else "")
    if entry.device is not None:
        info.devmajor, info.devminor = entry.device
    records = {f"SCHILY.xattr.{name}": value for name, value in member.xattrs.items() if member.first is None}
    records |= _move_into_records(info)
    return _extended_header(records) + _block(info)


def _name(path: str) -> str:
    return "./" if path == "." else f"./{path}"


def _move_into_records(info: tarfile.TarInfo) -> dict[str, bytes]:
    """What does not fit into the plain header goes into records; the header gets something that fits instead."""
    records: dict[str, bytes] = {}
    if not _fits(info):
        records["path"] = _bytes(info.name)
        info.name = STAND_IN
    if len(_bytes(info.linkname)) > LONGEST_LINK:
        records["linkpath"] = _bytes(info.linkname)
        info.linkname = ""
    limits = {"uid": MOST_IN_7_DIGITS, "gid": MOST_IN_7_DIGITS, "size": MOST_IN_11_DIGITS, "mtime": MOST_IN_11_DIGITS}
    for field, limit in limits.items():
        value = getattr(info, field)
        if not 0 <= value <= limit:
            records[field] = str(value).encode()
            setattr(info, field, 0)
    return records


def _fits(info: tarfile.TarInfo) -> bool:
    """Whether the name can be split over the two fields that the plain header has for it."""
    probe = tarfile.TarInfo(info.name)
    try:
        _block(probe)
    except ValueError:
        return False
    return True


def _extended_header(records: dict[str, bytes]) -> bytes:
    if not records:
        return b""
    content = b"".join(_record(key, records[key]) for key in sorted(records))
    info = tarfile.TarInfo(STAND_IN)
    info.type, info.size, info.mode = tarfile.XHDTYPE, len(content), 0o644
    return _block(info) + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def _record(key: str, value: bytes) -> bytes:
    """`LENGTH KEY=VALUE` and a newline, where LENGTH counts itself (pax, "pax Extended Header")."""
    rest = b" " + _bytes(key) + b"=" + value + b"\n"
    length = len(rest)
    while length != len(str(length)) + len(rest):
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def _block(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
