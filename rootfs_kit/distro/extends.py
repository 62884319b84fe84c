"""A distro.toml that extends another: `extends = "debian"`.

Tables are merged key by key; what the extending file says takes the place of what the other says, lists and arrays of
tables ([[release]], [[repository]], [[key]]) as a whole. Only `packages.extra` adds: it is there to name packages
besides those of `packages.base`. Title and aliases are nobody's heritage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rootfs_kit.distro import Distro
from rootfs_kit.distro.places import DESCRIPTION, Location, locations
from rootfs_kit.toml import Table, nearest_hint

EXTENDS = "extends"
NOT_INHERITED = ("title", "aliases", "tested")
ADDED = ("packages", "extra")


def parent_of(table: Table, location: Location, chain: tuple[Path, ...]) -> Location | None:
    """Where the distribution is that `table` extends: the first of that name that is not among `chain`, which led here.

    None for a table that extends nothing. Raises UsageError.
    """
    if EXTENDS not in table:
        return None
    name = table.text(EXTENDS)
    known = locations((*location.among, *_directory_around(location)))
    candidates = [each for each in known if each.name == name]
    if not candidates:
        hint = nearest_hint(name, sorted({each.name for each in known}), "There are")
        table.refuse(EXTENDS, f'there is no distribution "{name}"', hint)
    for candidate in candidates:
        if candidate.directory.resolve() in chain:
            continue
        if not (candidate.directory / DESCRIPTION).is_file():
            table.refuse(EXTENDS, f'"{name}" is described by a config.sh', "Extend one with a distro.toml.")
        return candidate
    way = " -> ".join([*(directory.name for directory in chain), name])
    table.refuse(EXTENDS, f"it extends itself: {way}", "Take one of the `extends` out.")


def inherited_by(table: Table, below: Table, parent: Distro) -> Table:
    """`table` over the whole table of what it extends, the distribution `parent`."""
    inherited = dict(below.data)
    inherited["ids"] = list(parent.os_release_ids)
    for key in NOT_INHERITED:
        inherited.pop(key, None)
    return replace(table, data=_merged(inherited, table.data))


def _directory_around(location: Location) -> tuple[Path, ...]:
    """The directory that a distribution named by its path lies in: its parent may lie beside it."""
    around = location.directory.resolve().parent
    return () if around in location.among else (around,)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any], place: tuple[str, ...] = ()) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        here = (*place, key)
        under = below.get(key)
        if isinstance(value, dict) and isinstance(under, dict):
            merged[key] = _merged(under, value, here)
        elif here == ADDED and isinstance(value, list) and isinstance(under, list):
            merged[key] = [*under, *value]
        else:
            merged[key] = value
    return merged


def with_absolute_files(table: Table) -> Table:
    """The names of files count from the directory of the distro.toml that names them."""
    data = dict(table.data)
    directory = table.path.parent
    if _is_list_of(data.get("keyrings"), str):
        data["keyrings"] = [str(directory / name) for name in data["keyrings"]]
    if _is_list_of(data.get("key"), dict):
        data["key"] = [
            {**key, "file": str(directory / key["file"])} if isinstance(key.get("file"), str) and key["file"] else key
            for key in data["key"]
        ]
    return replace(table, data=data)


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) and item for item in value)
