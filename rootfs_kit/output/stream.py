"""A tree as a sequence of members, in the order and with the facts in which every archive of it has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree import Entry, Kind, RootfsTree
from rootfs_kit.tree.paths import shown

CHUNK = 1 << 20

# What the host puts on every file it holds is not the guest's, and what an ordinary user may not see must not make a
# difference: xattr(7).
OF_THE_GUEST = ("security.capability", "system.posix_acl_access", "system.posix_acl_default")


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    `path` is relative, "." for the root; `mtime` whole seconds since 1970. The names of one file share `number`, and
    `names` says how many they are; `first` is the path of the first of them, for all but the first.
    """

    entry: Entry
    path: str
    mtime: int
    number: int
    names: int = 1
    first: str | None = None
    is_last: bool = True
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


def members(tree: RootfsTree, epoch: int | None) -> Iterator[Member]:
    """Every entry, parents before what is in them, sorted by name in each directory. Raises CouldNotLook."""
    _require_all_seen(tree)
    names = _names_of_shared_files(tree)
    firsts: dict[tuple[int, int], Member] = {}
    seen: dict[tuple[int, int], int] = {}
    for number, entry in enumerate(tree.walk(), start=1):
        path = entry.path.lstrip("/") or "."
        mtime = int(entry.mtime) if epoch is None else min(int(entry.mtime), epoch)
        if entry.file_id is None:
            yield Member(entry, path, mtime, number, xattrs=_xattrs(tree, entry))
            continue
        first = firsts.get(entry.file_id)
        seen[entry.file_id] = seen.get(entry.file_id, 0) + 1
        member = Member(
            entry,
            path,
            mtime,
            number if first is None else first.number,
            names[entry.file_id],
            first=None if first is None else first.path,
            is_last=seen[entry.file_id] == names[entry.file_id],
            xattrs=_xattrs(tree, entry),
        )
        firsts.setdefault(entry.file_id, member)
        yield member


def copy_content(tree: RootfsTree, member: Member, output: BinaryIO) -> None:
    """Exactly as many bytes as the member's header says. Raises CouldNotLook for a file that changed meanwhile."""
    left = member.entry.size
    with tree.open(member.entry.path) as content:
        while left and (chunk := content.read(min(left, CHUNK))):
            output.write(chunk)
            left -= len(chunk)
    if left:
        raise CouldNotLook(f"reading {shown(member.entry.path)}", f"it is {left} bytes too short now", "Build again.")


def _require_all_seen(tree: RootfsTree) -> None:
    for path, reason in tree.unreadable:
        raise CouldNotLook(f"reading {shown(path)}", reason, "Build as a user who may read what was built.")


def _names_of_shared_files(tree: RootfsTree) -> dict[tuple[int, int], int]:
    """How many names each file has inside the tree; what it is linked to outside is of no interest."""
    names: dict[tuple[int, int], int] = {}
    for entry in tree.walk():
        if entry.file_id is not None:
            names[entry.file_id] = names.get(entry.file_id, 0) + 1
    return names


def _xattrs(tree: RootfsTree, entry: Entry) -> dict[str, bytes]:
    if entry.kind not in (Kind.FILE, Kind.DIRECTORY):
        return {}
    found = tree.xattrs(entry.path)
    return {name: found[name] for name in sorted(found) if name in OF_THE_GUEST or name.startswith("user.")}
