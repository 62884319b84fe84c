"""What a tree has, entry by entry, found in one walk for all the checks that ask: owners, sizes, what stands out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property, lru_cache

from rootfs_kit.tree import Entry, Kind, RootfsTree

SETUID_OR_SETGID = 0o6000
STICKY = 0o1000
OTHERS_MAY_WRITE = 0o002
MIB = 1024 * 1024


class Owned:
    """How many entries belong to one user or group, and the first of them."""

    def __init__(self, first: str, count: int) -> None:
        self.first = first
        self.count = count


class Survey:
    """Entries by what is unusual about them, in order of path; `users` and `groups` hold everybody, by number.

    `setuid` are files that give rights away, `writable` files and directories without the sticky bit that anybody
    may change. `size` is in bytes: of the regular files, one with several names counted once.
    """

    def __init__(self) -> None:
        self.setuid: list[Entry] = []
        self.sockets: list[Entry] = []
        self.writable: list[Entry] = []
        self.size = 0
        self._owners: dict[tuple[int, int], Owned] = {}
        self._weighed: set[tuple[int, int] | None] = set()

    def take(self, entry: Entry) -> None:
        """Look at one entry more."""
        owned = self._owners.get((entry.uid, entry.gid))
        if owned is None:
            self._owners[(entry.uid, entry.gid)] = Owned(entry.path, 1)
        else:
            owned.count += 1
        if entry.kind is Kind.FILE:
            self._take_file(entry)
        elif entry.kind is Kind.SOCKET:
            self.sockets.append(entry)
        elif entry.kind is Kind.DIRECTORY and entry.mode & (OTHERS_MAY_WRITE | STICKY) == OTHERS_MAY_WRITE:
            self.writable.append(entry)

    @cached_property
    def users(self) -> dict[int, Owned]:
        return _by_number((uid, owned) for (uid, _), owned in self._owners.items())

    @cached_property
    def groups(self) -> dict[int, Owned]:
        return _by_number((gid, owned) for (_, gid), owned in self._owners.items())

    def _take_file(self, entry: Entry) -> None:
        if entry.mode & SETUID_OR_SETGID:
            self.setuid.append(entry)
        if entry.mode & OTHERS_MAY_WRITE:
            self.writable.append(entry)
        if entry.links > 1:
            if entry.file_id in self._weighed:
                return
            self._weighed.add(entry.file_id)
        self.size += entry.size


@lru_cache(maxsize=8)
def survey(tree: RootfsTree) -> Survey:
    """The survey of `tree`. What could not be read is not in it: LAY-01 tells of that."""
    found = Survey()
    for entry in tree.walk():
        found.take(entry)
    return found


def total_size(tree: RootfsTree) -> int:
    """Bytes of all regular files."""
    return survey(tree).size


def heaviest(tree: RootfsTree, count: int = 3) -> list[str]:
    """The `count` heaviest directories two levels deep (/usr/lib), in words."""
    sizes: Counter[str] = Counter()
    for entry in tree.walk("/", Kind.FILE):
        sizes["/".join(entry.path.split("/", 3)[:3])] += entry.size
    return [f"{path} {size / MIB:.1f} MiB" for path, size in sizes.most_common(count)]


def _by_number(parts: Iterable[tuple[int, Owned]]) -> dict[int, Owned]:
    """All that belongs to each number; the first of it is that of the first part."""
    found: dict[int, Owned] = {}
    for number, owned in parts:
        before = found.get(number)
        found[number] = Owned(before.first, before.count + owned.count) if before else owned
    return found
