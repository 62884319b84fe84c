"""What becomes of the entries of an initrd when the kernel unpacks them into its empty root (init/initramfs.c).

The kernel makes no directories on its own and says nothing of an entry that it cannot make: such an entry is lost.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable

from rootfs_kit.tree.archives.cpio import CpioEntry
from rootfs_kit.tree.archives.growth import ROOT, Growth, Place, Stray, position_of
from rootfs_kit.tree.archives.member import Member
from rootfs_kit.tree.paths import normalise, shown

SPECIAL = (stat.S_IFBLK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK)


def unpack_initrd(entries: Iterable[CpioEntry], growth: Growth) -> None:
    """Let the tree grow by `entries`, in order."""
    unpacker = _KernelUnpacker(growth)
    for entry in entries:
        if entry.is_trailer:
            unpacker.forget_links()
            continue
        try:
            unpacker.add(entry)
        except Stray as stray:
            growth.note_lost(normalise(entry.member.name), stray.why)


class _KernelUnpacker:
    """The manner of the kernel, and what it does with each entry. `_inodes` are the first names of hard links."""

    def __init__(self, growth: Growth) -> None:
        self._growth = growth
        self._inodes: dict[tuple[tuple[int, int, int], int], Place] = {}

    def missing(self, place: Place, by_link: bool) -> None:
        raise Stray(place.path, f"no entry before it makes the directory {shown(place.path)}")

    def through(self, place: Place, target: str) -> None:
        """Every link is followed: the root is the kernel's own, and nothing is outside of it."""

    def forget_links(self) -> None:
        self._inodes.clear()

    def add(self, entry: CpioEntry) -> None:
        member = entry.member
        if entry.why_lost:
            raise Stray("", entry.why_lost)
        place = self._growth.place(normalise(member.name), self)
        kind = stat.S_IFMT(member.mode)
        if member.name.endswith("/") and kind != stat.S_IFDIR:
            raise Stray(place.path, "its name ends as that of a directory, and it is none")
        if kind == stat.S_IFREG:
            self._clean(place, kind)
            self._make_file(place, entry)
        elif kind == stat.S_IFDIR:
            self._clean(place, kind)
            self._growth.put(place, member)
        elif kind == stat.S_IFLNK:
            self._clean(place, 0)
            self._growth.put(place, member)
        elif kind in SPECIAL:
            self._clean(place, kind)
            self._make_special(place, entry)
        else:
            raise Stray(place.path, "it is of no known kind")

    def _clean(self, place: Place, kind: int) -> None:
        """clean_path(): what is of another kind goes, but for a directory that is not empty."""
        present = self._growth.row(place)
        if present is None or stat.S_IFMT(present[0]) == kind:
            return
        if place == ROOT or (stat.S_ISDIR(present[0]) and not self._growth.is_empty(place)):
            raise Stray(place.path, "a directory that is not empty is in its way")
        self._growth.remove(place)

    def _make_file(self, place: Place, entry: CpioEntry) -> None:
        if self._linked(place, entry):
            present = self._growth.row(place)
            if present is not None and not stat.S_ISREG(present[0]):
                # open(2) now follows a link or waits for a FIFO.
                self._growth.note_unknown(place.path, f"{shown(entry.member.name)} is a hard link to what is no file")
                return
            # The names have one content, whichever of them brings it; owner and mode are the last one's.
            self._growth.rewrite(place, self._keeping_content(place, entry.member))
        elif self._growth.row(place) is not None:
            self._growth.rewrite(place, entry.member)
        else:
            self._growth.put(place, entry.member)

    def _linked(self, place: Place, entry: CpioEntry) -> bool:
        """maybe_link(): whether `place` became another name of an inode that an earlier entry made."""
        if entry.names < 2:
            return False
        key = entry.inode, stat.S_IFMT(entry.member.mode)
        first = self._inodes.setdefault(key, place)
        if first is place:
            return False
        if self._growth.row(place) is not None:
            self._growth.remove(place)
        target = self._growth.row(first) if first.directory in self._growth.index.directories else None
        if target is None or stat.S_ISDIR(target[0]):
            raise Stray(place.path, f"it is a hard link to {shown(first.path)}, which is not there any more")
        self._growth.share(first, place)
        return True

    def _keeping_content(self, place: Place, member: Member) -> Member:
        present = self._growth.row(place)
        if member.size or present is None:
            return member
        return member._replace(size=present[3], position=position_of(present))

    def _make_special(self, place: Place, entry: CpioEntry) -> None:
        if self._linked(place, entry):
            return
        present = self._growth.row(place)
        if present is not None and isinstance(present[5], tuple):
            # mknod(2) refuses, and the owner and mode are set nevertheless.
            self._growth.put(place, entry.member._replace(device=(present[5][0], present[5][1])))
        else:
            self._growth.put(place, entry.member)
