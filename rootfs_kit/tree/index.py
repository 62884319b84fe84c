"""The index of a rootfs: one row per entry, kept small, from which `Entry` values are made on demand.

Whatever a rootfs was recorded in (a directory, a tar, a cpio), its source fills one of these; everything that is
asked of a tree afterwards, but for contents, is answered here.
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator

from rootfs_kit.tree.entry import Entry, Kind
from rootfs_kit.tree.paths import basename, join, parent

Extra = str | int | tuple[int, int] | tuple[int, int, int] | None
"""What only some rows have: a link's text, a device's (major, minor), (links, device, inode) of a shared file, or,
in an archive, where the content of a file begins: it serves as the inode of one that is not shared."""

Row = tuple[int, int, int, int, float, Extra]
"""st_mode, uid, gid, size, mtime, extra."""

KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
    stat.S_IFCHR: Kind.CHAR_DEVICE,
    stat.S_IFBLK: Kind.BLOCK_DEVICE,
}
FORMAT, PERMISSIONS = 0o170000, 0o7777
"""The two parts of st_mode (inode(7))."""
DIRECTORY_MODE = stat.S_IFDIR | 0o755


class Index:
    """Rows by directory and name. `unreadable` says of which paths nothing is known, and why; `lost` which entries an
    archive holds that its unpacker would drop, and why: they are not in the tree."""

    def __init__(self, root: Row) -> None:
        self.root = root
        self.directories: dict[str, dict[str, Row]] = {"/": {}}
        self.unreadable: dict[str, str] = {}
        self.lost: dict[str, str] = {}

    def root_entry(self) -> Entry:
        return entry_of("/", self.root)

    def look(self, directory: str, name: str) -> Entry | None:
        """The entry `name` of `directory`, a path without links in it."""
        row = self.directories.get(directory, {}).get(name)
        return entry_of(join(directory, name), row) if row is not None else None

    def directory(self, path: str) -> Entry | None:
        """The directory at exactly `path`, where that is spelt without links and was listed."""
        if path not in self.directories:
            return None
        return self.root_entry() if path == "/" else self.look(parent(path), basename(path))

    def why_unread(self, path: str) -> str | None:
        return self.unreadable.get(path)

    def why_lost(self, path: str) -> str | None:
        return self.lost.get(path)

    def names(self, directory: str) -> list[str]:
        return sorted(self.directories.get(directory, ()))

    def walk(self, start: str, kinds: Collection[Kind] = ()) -> Iterator[Entry]:
        """What is at `start`, spelt without links, then all below it, sorted by name in each directory.

        Only entries of `kinds`, where some are given. Links are not followed.
        """
        formats = {format for format, kind in KINDS.items() if not kinds or kind in kinds}
        row = self.root if start == "/" else self.directories[parent(start)][basename(start)]
        waiting = [(start, row)]
        while waiting:
            path, row = waiting.pop()
            if row[0] & FORMAT in formats:
                yield entry_of(path, row)
            rows = self.directories.get(path)
            if rows:
                prefix = "/" if path == "/" else f"{path}/"
                waiting += [(prefix + name, rows[name]) for name in sorted(rows, reverse=True)]

    def __len__(self) -> int:
        return 1 + sum(len(rows) for rows in self.directories.values())


def entry_of(path: str, row: Row) -> Entry:
    """The row as an `Entry`."""
    mode, uid, gid, size, mtime, extra = row
    kind, permissions = KINDS[mode & FORMAT], mode & PERMISSIONS
    if extra is None:
        return Entry(path, kind, permissions, uid, gid, size, mtime)
    if isinstance(extra, str):
        return Entry(path, kind, permissions, uid, gid, size, mtime, target=extra)
    if isinstance(extra, int):
        return Entry(path, kind, permissions, uid, gid, size, mtime, file_id=(0, extra))
    if len(extra) == 2:
        return Entry(path, kind, permissions, uid, gid, size, mtime, device=extra)
    return Entry(path, kind, permissions, uid, gid, size, mtime, links=extra[0], file_id=extra[1:])
