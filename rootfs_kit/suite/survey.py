"""What a tree has, entry by entry, found in one walk for all the checks that ask: owners, sizes, what stands out."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from rootfs_kit.tree import Entry, Kind, RootfsTree

SETUID_OR_SETGID = 0o6000
STICKY = 0o1000
OTHERS_MAY_WRITE = 0o002
MIB = 1024 * 1024


class Owned:
    """How many entries belong to one user or group, and the first of them."""

    def __init__(self, first: str) -> None:
        self.first = first
        self.count = 0


class Survey:
    """Entries by what is unusual about them, in order of path; `users` and `groups` hold everybody, by number.

    `setuid` are files that give rights away, `writable` files and directories without the sticky bit that anybody
    may change. `sizes` are bytes of regular files by the first two parts of their paths (/usr/lib), a file with
    several names counted once.
    """

    def __init__(self) -> None:
        self.setuid: list[Entry] = []
        self.sockets: list[Entry] = []
        self.writable: list[Entry] = []
        self.users: dict[int, Owned] = {}
        self.groups: dict[int, Owned] = {}
        self.sizes: Counter[str] = Counter()
        self._weighed: set[tuple[int, int] | None] = set()

    def take(self, entry: Entry) -> None:
        """Look at one entry more."""
        _count(self.users, entry.uid, entry.path)
        _count(self.groups, entry.gid, entry.path)
        if entry.kind is Kind.FILE:
            self._take_file(entry)
        elif entry.kind is Kind.SOCKET:
            self.sockets.append(entry)
        elif entry.kind is Kind.DIRECTORY and entry.mode & (OTHERS_MAY_WRITE | STICKY) == OTHERS_MAY_WRITE:
            self.writable.append(entry)

    def _take_file(self, entry: Entry) -> None:
        if entry.mode & SETUID_OR_SETGID:
            self.setuid.append(entry)
        if entry.mode & OTHERS_MAY_WRITE:
            self.writable.append(entry)
        if entry.links == 1 or entry.file_id not in self._weighed:
            self.sizes[_first_two_parts(entry.path)] += entry.size
        if entry.links > 1:
            self._weighed.add(entry.file_id)


@lru_cache(maxsize=8)
def survey(tree: RootfsTree) -> Survey:
    """The survey of `tree`. What could not be read is not in it: LAY-01 tells of that."""
    found = Survey()
    for entry in tree.walk():
        found.take(entry)
    return found


def total_size(tree: RootfsTree) -> int:
    """Bytes of all regular files."""
    return survey(tree).sizes.total()


def heaviest(tree: RootfsTree, count: int = 3) -> list[str]:
    """The `count` heaviest directories, in words."""
    return [f"{path} {size / MIB:.1f} MiB" for path, size in survey(tree).sizes.most_common(count)]


def _count(owners: dict[int, Owned], number: int, path: str) -> None:
    owned = owners.get(number)
    if owned is None:
        owned = owners[number] = Owned(path)
    owned.count += 1


def _first_two_parts(path: str) -> str:
    end = path.find("/", path.find("/", 1) + 1)
    return path[:end] if end > 0 else path
