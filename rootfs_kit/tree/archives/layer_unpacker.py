"""What becomes of the members of an image's layers when they are applied one after the other.

Sources: the OCI image specification, layer.md ("Applying Changesets"), and containerd's pkg/archive/tar.go.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable

from rootfs_kit.tree.archives.growth import ROOT, Growth, Place, Stray, refuse_a_bad_link
from rootfs_kit.tree.archives.limits import Budget
from rootfs_kit.tree.archives.member import Member
from rootfs_kit.tree.archives.tar_unpacker import climbs, guest_path
from rootfs_kit.tree.paths import basename, inside, shown

WHITEOUT = ".wh."
META = ".wh..wh."
OPAQUE = ".wh..wh..opq"


def apply_layers(layers: Iterable[Callable[[Budget], Iterable[Member]]], growth: Growth) -> None:
    """Let the tree grow by the members of each layer, the lowest first. A layer is read twice, and counted once.

    Whiteouts hide what is in lower layers only, wherever they are in their own: so they come first.
    """
    budget = growth.budget
    unpacker = _LayerUnpacker(growth)
    for number, read in enumerate(layers):
        if number:
            _each(read(Budget(budget.name, budget.limits)), growth, unpacker.hide)
        _each(read(budget), growth, unpacker.add)


def _each(members: Iterable[Member], growth: Growth, act: Callable[[Member], None]) -> None:
    for member in members:
        try:
            act(member)
        except Stray as stray:
            growth.note_unknown(stray.path, f"the member {shown(member.name)[:200]} of a layer: {stray.why}")


class _LayerUnpacker:
    """The manner of containerd, and what it does with each member."""

    def __init__(self, growth: Growth) -> None:
        self._growth = growth

    def missing(self, place: Place, by_link: bool) -> None:
        self._growth.make_implicit(place)

    def through(self, place: Place, target: str) -> None:
        """Every link is followed inside the root."""

    def hide(self, member: Member) -> None:
        """Remove what a whiteout hides; for any other member nothing happens."""
        path = _layer_path(member.name)
        name = basename(path)
        if not name.startswith(WHITEOUT):
            return
        place = self._growth.find(path)
        if place is None:
            return
        if name == OPAQUE:
            self._growth.empty(place.directory)
        elif not name.startswith(META):
            hidden = Place(place.directory, name.removeprefix(WHITEOUT))
            if hidden.name in ("", ".", ".."):
                raise Stray(path, "a whiteout of the directory that it is in")
            if self._growth.row(hidden) is not None:
                self._growth.remove(hidden)

    def add(self, member: Member) -> None:
        path = _layer_path(member.name)
        if _is_whiteout(path):
            return
        place = self._growth.place(path, self)
        if member.is_hard_link:
            self._link(place, member)
            return
        refuse_a_bad_link(place, member)
        self._replace(place, stat.S_IFMT(member.mode))
        self._growth.put(place, member)

    def _replace(self, place: Place, kind: int) -> None:
        """A directory is laid over a directory; anything else goes, with all that is in it."""
        present = self._growth.row(place)
        if present is None or (stat.S_ISDIR(present[0]) and kind == stat.S_IFDIR):
            return
        if place == ROOT:
            raise Stray("/", "it would replace the root directory")
        self._growth.remove(place)

    def _link(self, place: Place, member: Member) -> None:
        target = self._growth.find(_layer_path(member.link or ""))
        row = self._growth.row(target) if target is not None else None
        if target is None or row is None or stat.S_ISDIR(row[0]):
            raise Stray(place.path, f"it is a hard link to {shown(member.link or '')[:200]}, and that is no file")
        if target != place:
            self._replace(place, stat.S_IFREG)
            self._growth.share(target, place)


def _is_whiteout(path: str) -> bool:
    return WHITEOUT in path and any(part.startswith(WHITEOUT) for part in path.split("/"))


def _layer_path(name: str) -> str:
    """The name as containerd cleans it, before any link is looked at. Raises Stray for one that climbs out."""
    path = guest_path(name)
    if not climbs(path):
        return path
    parts: list[str] = []
    for part in path.split("/")[1:]:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            raise Stray(inside(path), "its name climbs out of the root")
    return "/" + "/".join(parts)
