"""Which files a systemd unit is made of: search path, links, masks, drop-ins, .wants/ and .requires/ directories.

One listing of the search path serves every unit of a tree. Follows systemd.unit(5) and, where that is silent,
systemd's src/shared/unit-file.c and dropin.c. Nothing in here reads what a unit says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from rootfs_kit.tree.paths import basename, join, normalise, parent
from rootfs_kit.tree.unit_syntax import is_unit_name, template_of, unit_type

if TYPE_CHECKING:
    from rootfs_kit.tree.entry import Entry
    from rootfs_kit.tree.tree import RootfsTree

# systemd.unit(5), UNIT FILE LOAD PATH, without the directories that generators and `systemctl` fill at run time.
SEARCH_PATH = (
    "/etc/systemd/system.control",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
NOTHING = "/dev/null"
MOST_ALIASES = 16


class Fragment(NamedTuple):
    """The file that defines a unit: where it is, and under which names the search for it went.

    `names` begins with the name that was asked for and ends with the unit's own. `path` is None where no file was
    found, and `broken_link` is then the link that leads nowhere, if one does.
    """

    names: tuple[str, ...]
    path: str | None
    masked: bool = False
    broken_link: str | None = None


class NamedLink(NamedTuple):
    """A link that stands for the unit `unit`, and where the link itself is."""

    unit: str
    path: str


class UnitFiles:
    """The unit files of one tree. Any question may raise CouldNotLook where a directory cannot be read."""

    def __init__(self, tree: RootfsTree) -> None:
        self._tree = tree
        self.directories = tuple(_distinct_directories(tree))
        self._names = {directory: frozenset(tree.listdir(directory)) for directory in self.directories}
        self._aliases = self._find_aliases()

    def fragment(self, name: str) -> Fragment:
        """Find the file of unit `name`: by that name, as an instance of its template, or through an alias."""
        names, link = [name], None
        while len(names) <= MOST_ALIASES:
            found = self._look_for(names[-1])
            if isinstance(found, Fragment):
                broken = None if found.path else found.broken_link or link
                return Fragment(tuple(names), found.path, found.masked, broken)
            if found.unit in names:
                break
            link = found.path
            names.append(found.unit)
        return Fragment(tuple(names), None, broken_link=link)

    def aliases(self, name: str) -> tuple[str, ...]:
        """Other names of the unit `name`: links of the search path that lead to its file."""
        return self._aliases.get(name, ())

    def drop_ins(self, names: Iterable[str]) -> tuple[str, ...]:
        """The .conf files that are read after the fragment, in order; `names` are all names of the unit.

        Of files with one name the first directory's counts; an empty one, or a link to /dev/null, only hides others.
        """
        chosen: dict[str, str] = {}
        for directory in self._beside(names, ".d"):
            for name in self._tree.listdir(directory):
                if name.endswith(".conf"):
                    chosen.setdefault(name, join(directory, name))
        paths = (chosen[name] for name in sorted(chosen))
        return tuple(path for path in paths if not self._is_mask(path) and self._tree.file(path).is_file)

    def links(self, names: Iterable[str], kind: str) -> tuple[NamedLink, ...]:
        """The entries of `<unit>.wants/` or `<unit>.requires/` (`kind` is "wants" or "requires"), masks left out.

        What counts is the name of such a link, not where it leads; what is no link does not count (load-dropin.c).
        """
        chosen: dict[str, str] = {}
        for directory in self._beside(names, f".{kind}"):
            for name in self._tree.listdir(directory):
                if is_unit_name(name):
                    chosen.setdefault(name, join(directory, name))
        return tuple(NamedLink(name, path) for name, path in sorted(chosen.items()) if self._is_dependency(path))

    def _is_dependency(self, path: str) -> bool:
        return self._tree.file(path).is_symlink and not self._is_mask(path)

    def _look_for(self, name: str) -> Fragment | NamedLink:
        """The first file of that name or of its template, or the other name that a link gives the unit."""
        broken: str | None = None
        for candidate in filter(None, (name, template_of(name))):
            for directory in self.directories:
                if candidate not in self._names[directory]:
                    continue
                path = join(directory, candidate)
                other = self._alias_at(path, name)
                if other:
                    return NamedLink(other, path)
                file = self._tree.file(path)
                if self._is_mask(path) or file.is_file:
                    return Fragment((name,), path, masked=self._is_mask(path))
                broken = broken or path
        return Fragment((name,), None, broken_link=broken)

    def _alias_at(self, path: str, name: str) -> str | None:
        """The other unit name that the link at `path` stands for, as the unit `name` reads it."""
        entry = self._tree.lstat(path)
        if entry is None or not entry.is_symlink or self._is_mask(path):
            return None
        target = basename(entry.target or "")
        if not is_unit_name(target) or target in (basename(path), name) or not self._is_within(path, entry):
            return None
        return _instance_like(target, name)

    def _is_within(self, path: str, entry: Entry) -> bool:
        """Whether a link leads to a place of the search path: only then it gives a name, elsewhere it lends a file."""
        target = entry.target or ""
        directory = parent(normalise(target if target.startswith("/") else join(parent(path), target)))
        return self._tree.resolve(directory).final in {self._tree.resolve(one).final for one in self.directories}

    def _find_aliases(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for directory in self.directories:
            for name in sorted(self._names[directory]):
                target = self._alias_at(join(directory, name), name) if is_unit_name(name) else None
                if target:
                    found.setdefault(target, {})[name] = None
        return {target: tuple(names) for target, names in found.items()}

    def _is_mask(self, path: str) -> bool:
        """A link to /dev/null, or an empty file (systemd.unit(5)); /dev itself is empty in most trees."""
        entry = self._tree.lstat(path)
        if entry is not None and entry.is_symlink and normalise(entry.target or "") == NOTHING:
            return True
        file = self._tree.file(path)
        return file.is_file and file.size == 0

    def _beside(self, names: Iterable[str], suffix: str) -> Iterator[str]:
        """The directories `<name><suffix>` that are there: /etc first, in each the most specific name first."""
        wanted = list(dict.fromkeys(one + suffix for name in names for one in _names_for_directories(name, suffix)))
        for directory in self.directories:
            for name in wanted:
                path = join(directory, name)
                if name in self._names[directory] and self._tree.file(path).is_directory:
                    yield path


def _distinct_directories(tree: RootfsTree) -> Iterator[str]:
    seen = set()
    for directory in SEARCH_PATH:
        final = tree.resolve(directory).final
        if final is not None and final not in seen and tree.file(final).is_directory:
            seen.add(final)
            yield directory


def _instance_like(target: str, name: str) -> str:
    """A link to a template gives an instance of that template: getty@tty1.service -> autovt@.service is autovt@tty1."""
    before, at, after = target.partition("@")
    if not at or not after.startswith("."):
        return target
    instance = name.partition("@")[2].rpartition(".")[0]
    return f"{before}@{instance}{after}"


def _names_for_directories(name: str, suffix: str) -> Iterator[str]:
    """The unit's name, its template's, and for drop-ins each prefix that ends in a dash, and the bare type."""
    yield name
    template = template_of(name)
    if template:
        yield template
    if suffix == ".d":
        stem, kind = name.partition("@")[0].removesuffix(f".{unit_type(name)}"), unit_type(name)
        for end in range(len(stem) - 1, 0, -1):
            if stem[end - 1] == "-":
                yield f"{stem[:end]}.{kind}"
        yield kind
