"""Tar, read header by header: V7, ustar, GNU and pax. The contents stay where they are.

Sources: tar(5) of libarchive, POSIX pax(1) "ustar Interchange Format", GNU tar's manual. Python's tarfile would do,
but makes an object of 25 attributes for each member, and tells no more of sparse files and attributes than we need.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from rootfs_kit.errors import BadArchive
from rootfs_kit.tree.archives.limits import MIB, Budget
from rootfs_kit.tree.archives.media import Slice, read_exactly, truncated
from rootfs_kit.tree.archives.member import Member
from rootfs_kit.tree.archives.tar_numbers import BLOCK, number
from rootfs_kit.tree.archives.tar_pax import DAMAGED, Records, parse_records, seconds, whole_number, xattrs_of
from rootfs_kit.tree.archives.tar_sparse import checked_pieces, old_map, old_size, pax_map

ZEROS = bytes(BLOCK)
CHECKSUM = slice(148, 156)
MAGIC = slice(257, 263)
USTAR = b"ustar\0"
LONGEST_HEADER = MIB
"""Of one extended header, or one long name. libarchive has the same bound."""
PIECE_BYTES = 120
"""About what one piece of a sparse file takes in memory."""
DEVICES = (stat.S_IFCHR, stat.S_IFBLK)

HARD_LINK, SYMLINK, DIRECTORY, GNU_DIRECTORY, GNU_SPARSE = b"1", b"2", b"5", b"D", b"S"
LONG_NAME, LONG_LINK, PAX, SUN_PAX, GLOBAL_PAX = b"L", b"K", b"x", b"X", b"g"
VOLUME_LABEL, CONTINUED = b"V", b"M"
KINDS = {
    SYMLINK: stat.S_IFLNK,
    b"3": stat.S_IFCHR,
    b"4": stat.S_IFBLK,
    DIRECTORY: stat.S_IFDIR,
    GNU_DIRECTORY: stat.S_IFDIR,
    b"6": stat.S_IFIFO,
}
"""Whatever is not here is extracted as a regular file (POSIX, and GNU tar with a warning)."""
WITHOUT_DATA = frozenset((HARD_LINK, SYMLINK, b"3", b"4", DIRECTORY, b"6"))


def is_tar(start: bytes) -> bool:
    """Whether these first bytes (a block) are a header whose checksum is right."""
    return len(start) >= BLOCK and _checksum_is_right(start[:BLOCK])


def read_tar(part: Slice, budget: Budget) -> Iterator[Member]:
    """The members of the tar in `part`, in order. Raises BadArchive where it is damaged or truncated."""
    reader = _Reader(part, budget)
    while (header := reader.next_header()) is not None:
        kind = header[156:157]
        if kind in _EXTENSIONS:
            reader.take_extension(header, kind)
        elif kind == CONTINUED:
            raise BadArchive(reader.doing, "it is the second volume of an archive", "Join the volumes first.")
        elif kind == VOLUME_LABEL:
            reader.forget()
        else:
            yield reader.take_member(header, kind)


_EXTENSIONS = frozenset((LONG_NAME, LONG_LINK, PAX, SUN_PAX, GLOBAL_PAX))


@dataclass
class _Pending:
    """What the extended headers before a member say of it. Sparse format 0.0 repeats its keys: those are in order."""

    records: Records = field(default_factory=dict)
    sparse: list[bytes] = field(default_factory=list)
    name: bytes | None = None
    link: bytes | None = None


class _Reader:
    """Holds the place in the archive, and the extended headers that were read for the next member."""

    def __init__(self, part: Slice, budget: Budget) -> None:
        self._part = part
        self._budget = budget
        self._offset = 0
        self._global: Records = {}
        self._pending = _Pending()
        self._is_extended = False
        self.doing = f"reading {part.medium.name} (tar)"

    def next_header(self) -> bytes | None:
        """The next block that is a header; None at the end-of-archive marker."""
        header = self._part.read_at(self._offset, BLOCK)
        if len(header) < BLOCK:
            raise truncated(f"{self.doing}, which has no end-of-archive marker")
        if header[0] == 0 and header == ZEROS:
            return None
        if not _checksum_is_right(header):
            raise BadArchive(
                self.doing, f"the checksum of the header at byte {self._offset} is wrong: it is damaged", DAMAGED
            )
        self._offset += BLOCK
        return header

    def take_extension(self, header: bytes, kind: bytes) -> None:
        data = self._extension_data(header)
        self._is_extended = True
        if kind == LONG_NAME:
            self._pending.name = data.partition(b"\0")[0]
        elif kind == LONG_LINK:
            self._pending.link = data.partition(b"\0")[0]
        else:
            self._take_records(data, self._global if kind == GLOBAL_PAX else self._pending.records)

    def _extension_data(self, header: bytes) -> bytes:
        size = number(header[124:136], self.doing)
        if not 0 <= size <= LONGEST_HEADER:
            raise BadArchive(self.doing, f"an extended header of {size} bytes", DAMAGED)
        data = read_exactly(self._part, self._offset, size, self.doing)
        self._pass_over(size)
        return data

    def _take_records(self, data: bytes, records: Records) -> None:
        for key, value in parse_records(data, self.doing):
            if key in ("GNU.sparse.offset", "GNU.sparse.numbytes"):
                self._pending.sparse.append(value)
            elif records is self._global and not value:
                self._global.pop(key, None)
            else:
                records[key] = value

    def forget(self) -> None:
        self._pending = _Pending()
        self._is_extended = bool(self._global)

    def take_member(self, header: bytes, kind: bytes) -> Member:
        stored = 0 if kind in WITHOUT_DATA else number(header[124:136], self.doing)
        member = self._from_header(header, kind, stored)
        if self._is_extended:
            member, stored = self._extended(member, stored)
        if stored < 0 or member.size < 0:
            raise BadArchive(self.doing, f"a member of {min(stored, member.size)} bytes", DAMAGED)
        if member.pieces is not None:
            checked_pieces(member.pieces, member.size, stored, self.doing)
            self._budget.spend_records(len(member.pieces) * PIECE_BYTES)
        self._pass_over(stored)
        self._budget.spend_entry(len(member.name) + len(member.link or ""))
        self.forget()
        return _without_directory_mark(member)

    def _from_header(self, header: bytes, kind: bytes, stored: int) -> Member:
        doing = self.doing
        format_ = KINDS.get(kind, stat.S_IFREG)
        size, pieces, device, link = stored, None, None, None
        if kind == GNU_SPARSE:
            pieces, self._offset = old_map(header, self._part, self._offset, doing)
            size = old_size(header, doing)
        elif kind in (SYMLINK, HARD_LINK):
            link = os.fsdecode(header[157:257].partition(b"\0")[0])
        elif format_ in DEVICES:
            device = number(header[329:337], doing), number(header[337:345], doing)
        return Member(
            os.fsdecode(_name(header)),
            format_ | number(header[100:108], doing) & 0o7777,
            number(header[108:116], doing),
            number(header[116:124], doing),
            0 if kind == GNU_DIRECTORY else size,
            number(header[136:148], doing),
            self._part.position(self._offset),
            link,
            kind == HARD_LINK,
            device,
            None,
            pieces,
        )

    def _extended(self, member: Member, stored: int) -> tuple[Member, int]:
        """The member with what the extended headers say, and how many bytes of it are stored from here on."""
        doing, pending = self.doing, self._pending
        records = self._global | pending.records
        if stored or (stat.S_ISREG(member.mode) and not member.is_hard_link):
            stored = whole_number(records, "size", stored, doing)
        name = records.get("GNU.sparse.name") or records.get("path") or pending.name
        link = records.get("linkpath") or pending.link
        member = member._replace(
            name=_text(name) if name else member.name,
            link=_text(link) if link and member.link is not None else member.link,
            uid=whole_number(records, "uid", member.uid, doing),
            gid=whole_number(records, "gid", member.gid, doing),
            mtime=seconds(records, "mtime", member.mtime, doing),
            xattrs=xattrs_of(records, doing) or None,
            size=member.size if member.pieces is not None or not stat.S_ISREG(member.mode) else stored,
        )
        self._budget.spend_records(sum(map(len, (member.xattrs or {}).values())))
        return self._spread(member, records, stored)

    def _spread(self, member: Member, records: Records, stored: int) -> tuple[Member, int]:
        """The same for a member that is sparse in one of the pax formats."""
        size = records.get("GNU.sparse.realsize") or records.get("GNU.sparse.size")
        if size is None or not stat.S_ISREG(member.mode):
            return member, stored
        begun = self._offset
        if self._pending.sparse:
            records["GNU.sparse.map"] = b",".join(self._pending.sparse)
        pieces, self._offset = pax_map(records, self._part, begun, self.doing)
        spread = member._replace(
            size=whole_number({"size": size}, "size", 0, self.doing),
            position=self._part.position(self._offset),
            pieces=pieces,
        )
        return spread, stored - (self._offset - begun)

    def _pass_over(self, size: int) -> None:
        self._offset += -(-size // BLOCK) * BLOCK
        if self._offset > self._part.size + BLOCK or self._offset - self._part.size > -size % BLOCK:
            raise truncated(self.doing)


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    if header[MAGIC] == USTAR and header[345]:
        return header[345:500].partition(b"\0")[0] + b"/" + name
    return name


def _text(value: bytes) -> str:
    return os.fsdecode(value.partition(b"\0")[0])


def _without_directory_mark(member: Member) -> Member:
    """Before ustar, a directory was a file whose name ends in a slash."""
    if member.name.endswith("/") and stat.S_ISREG(member.mode) and not member.is_hard_link:
        return member._replace(mode=stat.S_IFDIR | stat.S_IMODE(member.mode), size=0)
    return member


def _checksum_is_right(header: bytes) -> bool:
    """The sum of all bytes, with spaces for the sum itself; some old programs added them up as signed."""
    found = header[CHECKSUM].partition(b"\0")[0].strip(b" ")
    if not found.isdigit():
        return False
    try:
        wanted = int(found, 8)
    except ValueError:
        return False
    without = sum(header) - sum(header[CHECKSUM]) + 8 * 0x20
    if without == wanted:
        return True
    high = sum(byte >= 0x80 for byte in header) - sum(byte >= 0x80 for byte in header[CHECKSUM])
    return without - 256 * high == wanted
