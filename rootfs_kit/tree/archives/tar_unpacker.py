"""What becomes of the members of a tar when GNU tar extracts them into an empty directory.

Where GNU tar complains and goes on without a member, other unpackers (bsdtar, containers) do something else: of such
a path nothing is known, and the tree says so. Each rule here is held against the program itself by the tests.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable

from rootfs_kit.tree.archives.growth import ROOT, Growth, Place, Stray, refuse_a_bad_link
from rootfs_kit.tree.archives.member import Member
from rootfs_kit.tree.paths import inside, normalise, shown


def unpack_tar(members: Iterable[Member], growth: Growth) -> None:
    """Let the tree grow by `members`, in order."""
    unpacker = _TarUnpacker(growth)
    for member in members:
        try:
            unpacker.add(member)
        except Stray as stray:
            _note(growth, member, stray)


def _note(growth: Growth, member: Member, stray: Stray) -> None:
    found = growth.find(guest_path(member.name))
    where = found.path if found is not None else stray.path
    growth.note_unknown(where, f"unpackers differ on the member {shown(member.name)[:200]}: {stray.why}")


class _TarUnpacker:
    """The manner of GNU tar, and what it does with each member."""

    def __init__(self, growth: Growth) -> None:
        self._growth = growth

    def missing(self, place: Place, by_link: bool) -> None:
        if by_link:
            raise Stray(place.path, "it is below a link that leads nowhere")
        self._growth.make_implicit(place)

    def through(self, place: Place, target: str) -> None:
        # Such links are made last, so that no member can be written through them (GNU tar's delayed links).
        if target.startswith("/") or climbs(target):
            raise Stray(place.path, f"it is below the link {shown(place.path)}, which leads elsewhere")

    def add(self, member: Member) -> None:
        path = guest_path(member.name)
        if climbs(path):
            raise Stray(inside(path), 'its name holds ".."')
        place = self._growth.place(path, self)
        if member.is_hard_link:
            self._link(place, member)
        elif stat.S_ISDIR(member.mode):
            self._make_directory(place, member)
        else:
            refuse_a_bad_link(place, member)
            self._clear(place)
            self._growth.put(place, member)

    def _make_directory(self, place: Place, member: Member) -> None:
        present = self._growth.row(place)
        if present is not None and not stat.S_ISDIR(present[0]):
            self._growth.remove(place)
        self._growth.put(place, member)

    def _clear(self, place: Place) -> None:
        present = self._growth.row(place)
        if present is None:
            return
        if stat.S_ISDIR(present[0]) and (place == ROOT or not self._growth.is_empty(place)):
            raise Stray(place.path, "a directory that is not empty is in its way")
        self._growth.remove(place)

    def _link(self, place: Place, member: Member) -> None:
        target = self._growth.find(guest_path(_after_dots(member.link or "")))
        present = self._growth.row(target) if target is not None else None
        if target is None or present is None or stat.S_ISDIR(present[0]):
            raise Stray(place.path, f"it is a hard link to {shown(member.link or '')[:200]}, and that is no file")
        if target != place:
            self._clear(place)
            self._growth.share(target, place)


def guest_path(name: str) -> str:
    """The name of a member as a guest path; ".." stays in it."""
    path = "/" + name.removeprefix("./").strip("/")
    return normalise(path) if "//" in path or "/." in path else path


def climbs(path: str) -> bool:
    return ".." in path and ".." in path.split("/")


def _after_dots(name: str) -> str:
    """GNU tar takes a hard link's target from behind the last ".." of it on."""
    return "/".join(name.split("/")[_last_dots(name.split("/")) :]) if climbs(name) else name


def _last_dots(parts: list[str]) -> int:
    return len(parts) - parts[::-1].index("..")
