"""What a guest never reads: documentation and translations at once, the package manager's state at the very end.

Both lists are the distribution's (distro.toml). The state goes only when the manifest holds the list of packages:
rootfs.sh:693 wipes /var/lib first, and nobody can tell any more what is in the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from rootfs_kit.tree import RootfsEditor, open_rootfs
from rootfs_kit.tree.paths import basename, join, parent

SPECIAL = frozenset("*?[")


def trim(editor: RootfsEditor, patterns: Iterable[str]) -> None:
    """Remove what the patterns match, and then the links elsewhere that led there.

    Such links are /etc/alternatives/*.gz, which the manual pages leave behind.
    """
    removed = [path for pattern in patterns for path in _matching(editor, pattern)]
    for path in removed:
        editor.remove_tree(path)
    if removed:
        _remove_links_into(editor, removed)


def _matching(editor: RootfsEditor, pattern: str) -> list[str]:
    """The guest paths that a pattern matches, by their own names: no link in a directory is followed twice."""
    places = ["/"]
    for part in pattern.strip("/").split("/"):
        places = [found for place in places for found in _children(editor, place, part)]
    return [place for place in places if place != "/"]


def _children(editor: RootfsEditor, directory: str, part: str) -> Iterator[str]:
    if not SPECIAL & set(part):
        path = join(directory, part)
        if editor.lstat(path) is not None:
            yield path
        return
    for name in editor.listdir(directory):
        if fnmatchcase(name, part):
            yield join(directory, name)


def _remove_links_into(editor: RootfsEditor, removed: list[str]) -> None:
    """Remove links that lead to, or through, something that was removed, and the links that led to those."""
    gone = {_real(editor, path) for path in removed}
    tree = open_rootfs(editor.root)
    for entry in tree.walk():
        if entry.is_symlink:
            resolution = tree.resolve(entry.path)
            if resolution.missing_at is not None and _is_below(resolution.missing_at, gone):
                editor.remove(entry.path)


def _real(editor: RootfsEditor, path: str) -> str:
    """`path` without links in its directory: as a resolution names it."""
    return join(editor.resolve(parent(path)).final or parent(path), basename(path))


def _is_below(path: str, gone: set[str]) -> bool:
    while path != "/":
        if path in gone:
            return True
        path = parent(path)
    return False
