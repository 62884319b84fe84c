"""Where the checks lie: the packaged ones in a wheel or a checkout, and those that other packages add."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

from rootfs_kit.errors import UsageError
from rootfs_kit.suite.own_modules import CHECKS

PREFIX = "rootfs-kit"


class CheckDirectory(NamedTuple):
    """A directory of `test_*.py`; `prefix` begins their node ids, `package` the names that they are imported by."""

    path: Path
    prefix: str
    package: str

    @property
    def files(self) -> list[Path]:
        return sorted(self.path.glob("test_*.py"))


@cache
def check_directories() -> tuple[CheckDirectory, ...]:
    """The packaged checks first, then those of plugins, by name.

    Raises UsageError when a plugin cannot be loaded, or names a directory without checks.
    """
    return (CheckDirectory(_packaged(), PREFIX, CHECKS), *_of_plugins())


def _packaged() -> Path:
    """Inside the package in a wheel; beside it in a checkout, and so in an editable installation."""
    package = Path(__file__).resolve().parents[1]
    return next(place for place in (package / "checks", package.parent / "checks") if place.is_dir())


def _of_plugins() -> list[CheckDirectory]:
    from rootfs_kit.plugins import plugin_manager

    directories = []
    for hook in plugin_manager().hook.rootfs_kit_checks.get_hookimpls():
        paths = cast("Iterable[str | os.PathLike[str]]", hook.function())
        for path in paths:
            directory = CheckDirectory(
                Path(path).resolve(), f"{PREFIX}/{hook.plugin_name}", f"{CHECKS}.{_identifier(hook.plugin_name)}"
            )
            if not directory.files:
                raise UsageError(
                    f'collecting the checks of the plugin "{hook.plugin_name}"',
                    f"there is no test_*.py in {directory.path}",
                    "Mend, upgrade or uninstall the package that brings it.",
                )
            directories.append(directory)
    return sorted(directories, key=lambda directory: (directory.prefix, directory.path))


def _identifier(name: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in name)


def directory_at(path: Path) -> CheckDirectory | None:
    """The directory of checks at exactly `path`."""
    return next((directory for directory in check_directories() if directory.path == path), None)


def is_of_checks(path: Path) -> bool:
    """Whether `path` is a directory of checks, or in one."""
    return any(path.is_relative_to(directory.path) for directory in check_directories())


def next_to_checks(path: Path) -> list[Path]:
    """Where to go from the directory `path` to come to directories of checks; nowhere, where none is below it."""
    ways = (
        directory.path.relative_to(path).parts for directory in check_directories() if path in directory.path.parents
    )
    return sorted({path / parts[0] for parts in ways})


def argument_for(nodeid: str) -> str | None:
    """The pytest argument that means a printed node id: `rootfs-kit/test_init.py::test_x`, also with `../` before it.

    None for everything else, and for what really is a path here.
    """
    path, separator, test = nodeid.partition("::")
    if Path(path).exists():
        return None
    while path.startswith("../"):
        path = path[3:]
    for directory in check_directories():
        if path.rstrip("/") == directory.prefix:
            return str(directory.path)
        head, _, name = path.rpartition("/")
        if head == directory.prefix and (directory.path / name).is_file():
            return f"{directory.path / name}{separator}{test}"
    return None
