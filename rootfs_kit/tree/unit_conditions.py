"""Conditions and assertions of a unit that a tree can answer: those about paths (systemd.unit(5)).

A list of conditions holds when every plain one holds and, where some are triggering (`|`), one of those. All others
(the kernel's version, the kind of virtualisation) are only known at boot, and nothing is said about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from rootfs_kit.tree.unit_syntax import with_specifiers

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsFile, RootfsTree
    from rootfs_kit.tree.units import Unit

KINDS = ("Condition", "Assert")


def _holds_something(tree: RootfsTree, file: RootfsFile) -> bool:
    return file.is_directory and bool(tree.listdir(file.path))


TESTS: dict[str, Callable[[RootfsTree, RootfsFile], bool]] = {
    "PathExists": lambda _, file: file.exists,
    "PathIsDirectory": lambda _, file: file.is_directory,
    "PathIsSymbolicLink": lambda _, file: file.is_symlink,
    "DirectoryNotEmpty": _holds_something,
    "FileNotEmpty": lambda _, file: file.is_file and file.size > 0,
    "FileIsExecutable": lambda _, file: file.is_executable,
}


class Condition(NamedTuple):
    """One condition as it is written: `key` is ConditionPathExists and so on, `file` the unit file or the drop-in.

    `holds` is None where the tree cannot tell.
    """

    key: str
    value: str
    file: str
    holds: bool | None
    triggers: bool

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


def unmet_conditions(tree: RootfsTree, unit: Unit, only_at_boot: Callable[[str], bool]) -> list[Condition]:
    """The conditions of `unit` that keep it from being started in every guest of this tree.

    `only_at_boot` says of a path that what is there is not known before. Raises CouldNotLook.
    """
    unmet: list[Condition] = []
    for kind in KINDS:
        conditions = list(_conditions(tree, unit, kind, only_at_boot))
        unmet += [one for one in conditions if not one.triggers and one.holds is False]
        triggers = [one for one in conditions if one.triggers]
        if triggers and all(one.holds is False for one in triggers):
            unmet += triggers
    return unmet


def _conditions(tree: RootfsTree, unit: Unit, kind: str, only_at_boot: Callable[[str], bool]) -> Iterator[Condition]:
    """Those of one kind; an empty assignment of any of them drops all before it."""
    written = [one for one in unit.assignments if one.section == "Unit" and one.key.startswith(kind)]
    last_reset = max((number for number, one in enumerate(written) if not one.value), default=-1)
    for one in written[last_reset + 1 :]:
        text = one.value.removeprefix("|")
        path = with_specifiers(text.removeprefix("!").strip(), unit.id)
        test = TESTS.get(one.key.removeprefix(kind))
        holds = None
        if test is not None and path.startswith("/") and "%" not in path and not only_at_boot(path):
            holds = test(tree, tree.file(path)) is not text.startswith("!")
        yield Condition(one.key, one.value, one.path, holds, one.value.startswith("|"))
