"""A tree that grows in memory, entry by entry, as a directory would under an unpacker.

What is common to all unpackers is here: where a name leads inside the root, what replaces what, which names share a
content. What they do differently (GNU tar, the kernel, containerd) is in `unpackers`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from rootfs_kit.tree.archives.limits import Budget
from rootfs_kit.tree.archives.member import Member, Piece
from rootfs_kit.tree.index import DIRECTORY_MODE, Extra, Index, Row
from rootfs_kit.tree.paths import MAX_LINKS, join, parent, shown

IMPLICIT: Row = (DIRECTORY_MODE, 0, 0, 0, 0.0, None)
"""What a directory is that no entry describes: root's, mode 0755."""
LINK_MODE = stat.S_IFLNK | 0o777
"""Of every symlink, whatever was recorded (symlink(7))."""
LONGEST_PATH = 4096
LONGEST_NAME = 255
"""NAME_MAX of every file system that a guest's root is on."""
FEW_UNKNOWN = 1000
"""Of more strange members than that, the first directory that is missing is not looked for."""
FOLLOWING = 16
"""How many bytes of records a byte of a link counts that is followed: it costs time instead of memory."""
ROW_BYTES = 200
"""About what an entry takes in memory beside its name."""


class Stray(Exception):
    """An entry that cannot be put where its name says. `path` is the guest path as far as it is known."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(why)
        self.path = path
        self.why = why


class Place(NamedTuple):
    """A name in a directory whose path holds no link; the root is ("/", "")."""

    directory: str
    name: str

    @property
    def path(self) -> str:
        return join(self.directory, self.name) if self.name else "/"


ROOT = Place("/", "")


class Manner(Protocol):
    """What an unpacker does on the way to an entry. Both methods raise Stray where it would give up."""

    def missing(self, place: Place, by_link: bool) -> None:
        """Make the directory that is not at `place`; `by_link` says that only a link leads there."""

    def through(self, place: Place, target: str) -> None:
        """Go through the link at `place`, whose text is `target`."""


class Growth:
    """Holds the index that is made, and what an index has no room for: attributes and maps of sparse files."""

    def __init__(self, budget: Budget) -> None:
        self.index = Index(IMPLICIT)
        self.sparse: dict[int, tuple[Piece, ...]] = {}
        self.xattrs: dict[int | str, Mapping[str, bytes]] = {}
        self._names: dict[int, list[Place]] = {}
        self.budget = budget
        self._entered: dict[str, str] = {}
        self._numbers: dict[int, int] = {}
        self._times: dict[float, float] = {}

    def row(self, place: Place) -> Row | None:
        if not place.name:
            return self.index.root
        return self.index.directories[place.directory].get(place.name)

    def is_empty(self, place: Place) -> bool:
        return not self.index.directories[place.path]

    def place(self, path: str, manner: Manner) -> Place:
        """Where the entry of the guest path `path` goes. Raises Stray where the way there is barred."""
        above, _, name = path.rpartition("/")
        if name in ("", ".."):
            return _place_of(self._enter(path, manner))
        directory = above or "/"
        if directory not in self.index.directories:
            known = self._entered.get(directory)
            if known is None:
                known = self._entered[directory] = self._enter_for(directory, name, manner)
            directory = known
        if len(name) > LONGEST_NAME // 4 and len(os.fsencode(name)) > LONGEST_NAME:
            raise Stray(join(directory, name), f"its name is longer than {LONGEST_NAME} bytes")
        return Place(directory, name)

    def find(self, path: str) -> Place | None:
        """Where `path` leads when links are followed inside the root, but for one at its end.

        None where there is no directory that it could be in.
        """
        above, _, name = path.rpartition("/")
        try:
            if name in ("", ".."):
                return _place_of(self._enter(path, _Looking()))
            return Place(self._enter(above, _Looking()), name)
        except Stray:
            return None

    def _enter_for(self, path: str, name: str, manner: Manner) -> str:
        try:
            return self._enter(path, manner)
        except Stray as stray:
            raise Stray(join(stray.path, name), stray.why) from stray

    def _enter(self, path: str, manner: Manner) -> str:
        """The directory that `path` leads to, with every link followed inside the root (path_resolution(7))."""
        waiting = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        own, here, links = len(waiting), "/", 0
        while waiting:
            by_link = len(waiting) > own
            part = waiting.pop()
            if part == "..":
                here = parent(here)
                continue
            place = Place(here, part)
            row = self.row(place)
            if row is None:
                manner.missing(place, by_link)
            elif stat.S_ISLNK(row[0]):
                # Thousands of members may go through the longest of links: what that costs is bounded, too.
                self.budget.spend_records(FOLLOWING * len(str(row[5])))
                manner.through(place, str(row[5]))
                own, links = min(own, len(waiting)), links + 1
                here = _follow(place, str(row[5]), links, waiting)
                continue
            elif not stat.S_ISDIR(row[0]):
                raise Stray(_beyond(place, waiting), f"{shown(place.path)} is no directory")
            here = place.path
        return here

    def put(self, place: Place, member: Member) -> None:
        """Make what `member` says at `place`, where nothing is; or say again what the directory there is like."""
        row = self._row_of(member)
        self._set(place, row)
        if stat.S_ISDIR(row[0]) and place.path not in self.index.directories:
            self._add_directory(place)
        self._keep_more(place, member)

    def make_implicit(self, place: Place) -> None:
        """The directory at `place`, which no entry describes."""
        self.budget.spend_entry(len(place.name))
        self._set(place, IMPLICIT)
        self._add_directory(place)

    def _add_directory(self, place: Place) -> None:
        self.budget.spend_records(len(place.path))
        self.index.directories[place.path] = {}

    def rewrite(self, place: Place, member: Member) -> None:
        """Give the file at `place`, under all its names, another content, owner and mode."""
        old = position_of(self.row(place))
        names = self._names.pop(old, [place])
        row = self._row_of(member)
        for name in self._alive(names, old):
            self._set(name, row)
        if len(names) > 1:
            self._names.setdefault(member.position, []).extend(names)
        self._keep_more(place, member)

    def share(self, target: Place, place: Place) -> None:
        """Make `place`, where nothing is, another name of what is at `target`."""
        row = self.row(target)
        assert row is not None, "the caller looked"
        self._set(place, row)
        if stat.S_ISREG(row[0]):
            self._names.setdefault(position_of(row), [target]).append(place)

    def remove(self, place: Place) -> None:
        """Remove what is at `place`, with all below it."""
        self._entered.clear()
        row = self.index.directories[place.directory].pop(place.name)
        if self.xattrs:
            self.xattrs.pop(place.path, None)
        if stat.S_ISDIR(row[0]):
            self.empty(place.path)
            del self.index.directories[place.path]

    def empty(self, path: str) -> None:
        """Remove all that is below the directory `path`."""
        self._entered.clear()
        waiting = [path]
        while waiting:
            directory = waiting.pop()
            rows = self.index.directories[directory]
            below = [join(directory, name) for name, row in rows.items() if stat.S_ISDIR(row[0])]
            if self.xattrs:
                for name in rows:
                    self.xattrs.pop(join(directory, name), None)
            if directory == path:
                rows.clear()
            else:
                del self.index.directories[directory]
            waiting.extend(below)

    def note_unknown(self, path: str, why: str) -> None:
        """What is at `path` depends on who unpacks the archive."""
        self.budget.spend_records(len(path) + ROW_BYTES)
        self.index.unreadable[path] = why

    def note_lost(self, path: str, why: str) -> None:
        """The entry `path` is in the archive and will not be in the tree."""
        self.budget.spend_records(len(path) + ROW_BYTES)
        self.index.lost[path] = why

    def finish(self) -> Index:
        """The index, with files of several names counted, and what is unknown told where a lookup ends."""
        if len(self.index.unreadable) <= FEW_UNKNOWN:
            self.index.unreadable = {self._first_missing(path): why for path, why in self.index.unreadable.items()}
        for position, names in self._names.items():
            alive = list(self._alive(dict.fromkeys(names), position))
            if len(alive) > 1:
                for place in alive:
                    self._set(
                        place, (*self.index.directories[place.directory][place.name][:5], (len(alive), 0, position))
                    )
        return self.index

    def _first_missing(self, path: str) -> str:
        """The first of the directories above `path` that is not there, or `path` itself."""
        here = "/"
        for part in path.split("/")[1:] if len(path) <= LONGEST_PATH else ():
            rows = self.index.directories.get(here)
            if rows is None:
                break
            here = join(here, part)
            if part not in rows:
                return here
        return path

    def _alive(self, names: Iterable[Place], position: int) -> Iterator[Place]:
        """Those of the names that still are names of the content at `position`."""
        for place in names:
            row = self.index.directories.get(place.directory, {}).get(place.name)
            if row is not None and stat.S_ISREG(row[0]) and position_of(row) == position:
                yield place

    def _set(self, place: Place, row: Row) -> None:
        if place.name:
            self.index.directories[place.directory][place.name] = row
        else:
            self.index.root = row

    def _row_of(self, member: Member) -> Row:
        """Equal numbers are kept once: a tree has few modes and owners, and often few times."""
        share = self._numbers.setdefault
        mode, uid, gid, time = member.mode, member.uid, member.gid, float(member.mtime)
        extra: Extra = None
        size = member.size
        if stat.S_ISREG(mode):
            extra = member.position
        elif stat.S_ISLNK(mode):
            extra = member.link or ""
            size = len(os.fsencode(extra))
            mode = LINK_MODE
        elif member.device is not None:
            extra = member.device
        return (share(mode, mode), share(uid, uid), share(gid, gid), size, self._times.setdefault(time, time), extra)

    def _keep_more(self, place: Place, member: Member) -> None:
        if member.pieces is not None:
            self.sparse[member.position] = member.pieces
        if member.xattrs:
            self.xattrs[member.position if stat.S_ISREG(member.mode) else place.path] = member.xattrs


class _Looking:
    """The manner of one who makes nothing."""

    def missing(self, place: Place, by_link: bool) -> None:
        raise Stray(place.path, f"{shown(place.path)} is missing")

    def through(self, place: Place, target: str) -> None:
        """Every link is followed."""


def _place_of(directory: str) -> Place:
    return Place(parent(directory), directory.rpartition("/")[2])


def refuse_a_bad_link(place: Place, member: Member) -> None:
    """Raise Stray for what symlink(2) refuses. The kernel, which does not ask itself, makes links without a text."""
    if stat.S_ISLNK(member.mode) and not 0 < len(os.fsencode(member.link or "")) < LONGEST_PATH:
        raise Stray(place.path, "it is a link whose text is empty, or too long for any file system")


def position_of(row: Row | None) -> int:
    """Where the content of a regular file's row begins."""
    extra = row[5] if row is not None else None
    assert isinstance(extra, int), "a regular file has a position"
    return extra


def _follow(place: Place, target: str, links: int, waiting: list[str]) -> str:
    if links > MAX_LINKS:
        raise Stray(_beyond(place, waiting), f"{shown(place.path)} is a link that goes round in a loop")
    waiting.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
    return "/" if target.startswith("/") else place.directory


def _beyond(place: Place, waiting: list[str]) -> str:
    return "/".join((place.path, *reversed(waiting)))
