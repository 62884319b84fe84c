"""Where the descriptions of distributions are found.

A directory that was named wins over one of the environment's, that over a plugin's, and that over a built-in one of
the same name; so a user may change a distribution by copying its directory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from rootfs_kit.distro import BUILT_IN
from rootfs_kit.errors import UsageError

DESCRIPTION = "distro.toml"
CONFIG_SCRIPT = "config.sh"

# Reading a config.sh runs it, so one counts only in a directory that the user named; with both, distro.toml wins.
DESCRIPTIONS = (DESCRIPTION,)
NAMED_DESCRIPTIONS = (DESCRIPTION, CONFIG_SCRIPT)

# An installed wheel keeps `distros/` inside the package, a checkout beside it; the first that exists counts.
BUILT_IN_DIRECTORIES = (Path(__file__).parents[1] / "distros", Path(__file__).parents[2] / "distros")

_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")


class Location(NamedTuple):
    """A directory that describes the distribution `name`, and which search turned it up.

    `among` are the directories that were searched besides plugins' and built-in ones: what it extends may be there.
    """

    name: str
    directory: Path
    found_by: str
    among: tuple[Path, ...] = ()


def locate(paths: Sequence[str | PathLike[str]] = ()) -> list[Location]:
    """Where every distribution is described, sorted by name; nothing is read yet.

    Raises UsageError for one of `paths` that is no directory or describes nothing.
    """
    found: dict[str, Location] = {}
    for location in locations(paths):
        found.setdefault(location.name, location)
    return [found[name] for name in sorted(found)]


def locations(paths: Sequence[str | PathLike[str]] = ()) -> list[Location]:
    """Where every distribution is described, in the order in which they count; names may be there more than once."""
    among = tuple(map(Path, paths))
    return [each._replace(among=among) for each in (*_named(paths), *_of_plugins(), *_built_in())]


def describes(directory: Path, descriptions: Sequence[str]) -> bool:
    """Whether `directory` holds the description of a distribution, in one of the files that count."""
    return any((directory / name).is_file() for name in descriptions)


def require_distro_name(name: str) -> None:
    """Raise UsageError for what is no name for a distribution, and for its directory."""
    if not _NAME.fullmatch(name):
        hint = "Use letters, digits, dots, dashes and underscores."
        raise UsageError("reading the name of a directory", f'"{name}" is no name for a distribution', hint)


def _named(paths: Sequence[str | PathLike[str]]) -> Iterator[Location]:
    for path in map(Path, paths):
        if not path.is_dir():
            found = "it is no directory" if path.exists() else "there is no such directory"
            raise UsageError(f"looking for distributions in {path}", found, _WHAT_A_DIRECTORY_HOLDS)
        locations = list(_within(path.absolute(), str(path), NAMED_DESCRIPTIONS))
        if not locations:
            raise UsageError(
                f"looking for distributions in {path}",
                f"there is no {DESCRIPTION} and no {CONFIG_SCRIPT} in it",
                _WHAT_A_DIRECTORY_HOLDS,
            )
        yield from locations


_WHAT_A_DIRECTORY_HOLDS = (
    f"Name a directory that holds one directory per distribution, each with a {DESCRIPTION} or {CONFIG_SCRIPT}, in "
    "--distros-dir or ROOTFS_KIT_DISTROS_PATH."
)


def _of_plugins() -> Iterator[Location]:
    from rootfs_kit.plugins import plugin_manager

    for directories in plugin_manager().hook.rootfs_kit_distros():
        for directory in directories:
            yield from _within(Path(directory), "a plugin", DESCRIPTIONS)


def _built_in() -> Iterator[Location]:
    directory = next((each for each in BUILT_IN_DIRECTORIES if each.is_dir()), None)
    if directory is not None:
        yield from _within(directory, BUILT_IN, DESCRIPTIONS)


def _within(directory: Path, found_by: str, descriptions: Sequence[str]) -> Iterator[Location]:
    """The distributions in `directory`, or the one that it is."""
    if describes(directory, descriptions):
        yield Location(directory.resolve().name, directory, found_by)
        return
    for inner in sorted(directory.iterdir()):
        if describes(inner, descriptions):
            yield Location(inner.name, inner, found_by)
