"""chrony's configuration as chronyd would read it, with the files and directories that it includes (chrony.conf(5))."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import NamedTuple

from rootfs_kit.tree import RootfsTree

CONFIGURATIONS = ("/etc/chrony/chrony.conf", "/etc/chrony.conf")
COMMENTS = ("!", ";", "#", "%")
NETWORK_SOURCES = frozenset({"server", "pool", "peer"})
MOST_INCLUDES = 100


class Directive(NamedTuple):
    """One line of the configuration: `directive` in lower case, as chronyd compares it, and what follows it."""

    path: str
    directive: str
    value: str


class ChronyConfiguration(NamedTuple):
    """All directives that are in force, in the order in which chronyd reads them."""

    path: str
    directives: tuple[Directive, ...]

    def values(self, directive: str) -> tuple[str, ...]:
        return tuple(line.value for line in self.directives if line.directive == directive)

    @property
    def network_sources(self) -> tuple[Directive, ...]:
        return tuple(line for line in self.directives if line.directive in NETWORK_SOURCES)


def read_chrony(tree: RootfsTree) -> ChronyConfiguration | None:
    """The configuration of the tree's chronyd, or None where it has none. Raises CouldNotLook."""
    path = next((path for path in CONFIGURATIONS if tree.file(path).is_file), None)
    return ChronyConfiguration(path, tuple(_directives(tree, path, set()))) if path else None


def _directives(tree: RootfsTree, path: str, seen: set[str]) -> Iterator[Directive]:
    if path in seen or len(seen) >= MOST_INCLUDES or not tree.file(path).is_file:
        return
    seen.add(path)
    for line in tree.file(path).read_text().splitlines():
        words = line.strip().split(None, 1)
        if not words or words[0].startswith(COMMENTS):
            continue
        directive = Directive(path, words[0].lower(), words[1].strip() if len(words) > 1 else "")
        yield directive
        for included in _included(tree, directive):
            yield from _directives(tree, included, seen)


def _included(tree: RootfsTree, directive: Directive) -> list[str]:
    """The files that a directive brings in: by `include`, `confdir` (*.conf) or `sourcedir` (*.sources)."""
    if directive.directive == "include":
        directory, _, pattern = directive.value.rpartition("/")
        return _matching(tree, directory or "/", pattern)
    suffix = {"confdir": "*.conf", "sourcedir": "*.sources"}.get(directive.directive)
    if suffix is None:
        return []
    return [path for directory in directive.value.split() for path in _matching(tree, directory, suffix)]


def _matching(tree: RootfsTree, directory: str, pattern: str) -> list[str]:
    if not tree.file(directory).is_directory:
        return []
    return [f"{directory}/{name}" for name in tree.listdir(directory) if fnmatch.fnmatchcase(name, pattern)]
