"""pacman's local database: a directory per package with a file `desc` (libalpm, lib/libalpm/be_local.c)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rootfs_kit.tree.packages.database import MAX_TEXT, damaged, excerpt, number_or_none, read_database, text_lines
from rootfs_kit.tree.packages.model import Package, PackageSet, Provided

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

LOCAL = "/var/lib/pacman/local"

_HEADING = re.compile(r"%([A-Z0-9]+)%")


def read_local(tree: RootfsTree) -> PackageSet | None:
    """What pacman says is installed; None where it has no database or an empty one.

    Raises CouldNotLook for a package whose `desc` is damaged or missing: pacman calls that a corrupt database too.
    """
    directories = [f"{LOCAL}/{name}" for name in tree.listdir(LOCAL)]
    packages = [_read_package(tree, path) for path in directories if tree.file(path).is_directory]
    return PackageSet("pacman", LOCAL, packages, rules="pacman") if packages else None


def _read_package(tree: RootfsTree, directory: str) -> Package:
    data = read_database(tree, f"{directory}/desc", MAX_TEXT)
    if data is None:
        raise damaged(directory, "the package has no desc: an installation was broken off, or files were removed")
    return parse_desc(data, f"{directory}/desc")


def parse_desc(data: bytes, path: str) -> Package:
    """The package that one `desc` describes. Raises CouldNotLook with the line for a damaged one."""
    sections = _sections(data, path)
    name, version = _first(sections, "NAME"), _first(sections, "VERSION")
    if not name or not version:
        raise damaged(path, f"it has no %{'VERSION' if name else 'NAME'}%")
    return Package(
        name,
        version,
        _first(sections, "ARCH"),
        _first(sections, "BASE") or name,
        # be_local.c leaves the heading out for packages of no size, as of meta packages.
        installed_size=number_or_none(_first(sections, "SIZE") or "0"),
        provides=tuple(Provided(*text.partition("=")[::2]) for text in sections.get("PROVIDES", ())),
        source_version=version,
    )


def _sections(data: bytes, path: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    values: list[str] | None = None
    for number, line in enumerate(text_lines(data, path), 1):
        if not line:
            values = None
        elif values is not None:
            values.append(line)
        elif heading := _HEADING.fullmatch(line):
            values = sections[heading[1]] = []
        else:
            raise damaged(path, f"line {number} stands under no heading: {excerpt(line)}")
    return sections


def _first(sections: dict[str, list[str]], heading: str) -> str:
    values = sections.get(heading)
    return values[0] if values else ""
