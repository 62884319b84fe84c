"""Finding a distribution by name, by path, or by what a tree calls itself."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from rootfs_kit.distro import Distro, did_you_mean, listed
from rootfs_kit.distro.file import load_distro
from rootfs_kit.distro.places import NAMED_DESCRIPTIONS, Location, describes, locate
from rootfs_kit.errors import UsageError

if TYPE_CHECKING:
    from rootfs_kit.request.script_variables import ScriptVariables


def find_distro(name: str, paths: Sequence[str | PathLike[str]] = (), script_variables: ScriptVariables = ()) -> Distro:
    """The distribution `name`: a name of `rootfs-kit list`, or the path of a directory that describes one.

    `paths` are searched before plugins' directories and the built-in ones; each holds distributions, or is one. A
    config.sh is told `script_variables`.
    Raises UsageError with the nearest name when there is no such distribution, or when its description is wrong.
    """
    if "/" in name and describes(Path(name), NAMED_DESCRIPTIONS):
        directory = Path(name).absolute()
        named = Location(directory.resolve().name, directory, "named by its path", tuple(map(Path, paths)))
        return load_distro(named, script_variables)
    locations = {location.name: location for location in locate(paths)}
    if name not in locations:
        for location in locations.values():
            distro = load_distro(location, script_variables)
            if name in distro.aliases:
                return distro
        raise UsageError(
            f'looking for the distribution "{name}"',
            "there is none of that name" if name else "the name is empty",
            did_you_mean(name, locations) + f"Those that can be built: {listed(sorted(locations))}.",
        )
    return load_distro(locations[name], script_variables)


def distro_of(os_release_id: str) -> Distro | None:
    """The distribution whose trees say ID=`os_release_id`, or None. Raises UsageError for a wrong description."""
    # Reading every description takes time, and most are named as their trees say.
    nearest_first = sorted(locate(), key=lambda location: location.name != os_release_id)
    distros = (load_distro(location) for location in nearest_first)
    return next((distro for distro in distros if os_release_id in distro.os_release_ids), None)


def distro_named(name: str) -> Distro | None:
    """The distribution that `rootfs-kit list` calls `name`, or None. Raises UsageError for a wrong description."""
    return next((load_distro(location) for location in locate() if location.name == name), None)


def discover(paths: Sequence[str | PathLike[str]] = (), script_variables: ScriptVariables = ()) -> list[Distro]:
    """Every distribution that can be built, sorted by name. Raises UsageError for the first wrong description."""
    return [load_distro(location, script_variables) for location in locate(paths)]
