"""What stands out in a tree entry by entry, found in one walk for all the checks that ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from rootfs_kit.tree import Entry, Kind, RootfsTree

SETUID_OR_SETGID = 0o6000
STICKY = 0o1000
OTHERS_MAY_WRITE = 0o002


@dataclass
class Owned:
    """How many entries belong to one user or group, and the first of them."""

    first: str
    count: int = 0


@dataclass
class Survey:
    """Entries by what is unusual about them, in order of path; `users` and `groups` hold everybody, by number.

    `setuid` are files that give rights away, `writable` files and directories without the sticky bit that anybody
    may change.
    """

    setuid: list[Entry] = field(default_factory=list)
    sockets: list[Entry] = field(default_factory=list)
    writable: list[Entry] = field(default_factory=list)
    users: dict[int, Owned] = field(default_factory=dict)
    groups: dict[int, Owned] = field(default_factory=dict)


@lru_cache(maxsize=8)
def survey(tree: RootfsTree) -> Survey:
    """The survey of `tree`. What could not be read is not in it: LAY-01 tells of that."""
    found = Survey()
    for entry in tree.walk():
        found.users.setdefault(entry.uid, Owned(entry.path)).count += 1
        found.groups.setdefault(entry.gid, Owned(entry.path)).count += 1
        _sort_in(found, entry)
    return found


def _sort_in(found: Survey, entry: Entry) -> None:
    if entry.kind is Kind.SOCKET:
        found.sockets.append(entry)
    elif entry.is_file:
        if entry.mode & SETUID_OR_SETGID:
            found.setuid.append(entry)
        if entry.mode & OTHERS_MAY_WRITE:
            found.writable.append(entry)
    elif entry.is_directory and entry.mode & (OTHERS_MAY_WRITE | STICKY) == OTHERS_MAY_WRITE:
        found.writable.append(entry)
