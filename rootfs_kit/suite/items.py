"""The fixtures that stand for one item after another: one test for each package, unit, file, module and waiver.

The order is the same in every process (pytest-xdist compares it), and ids hold nothing that a terminal would act on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.suite.subject import SUBJECT, Subject
from rootfs_kit.tree.paths import shown

# A tree with more kernels, packages or files than this is an attack on the suite, not a guest.
MOST_ITEMS = 5000
LONGEST_ID = 300


class Nothing:
    """Stands for an item where there is none, so that the test can be left out instead of skipped."""


NOTHING = Nothing()


def _units(subject: Subject) -> list[tuple[str, Any]]:
    from rootfs_kit.suite.requirements import required_units

    return [(unit.name, unit) for unit in required_units(subject.expectation)]


def _packages(subject: Subject) -> list[tuple[str, Any]]:
    from rootfs_kit.suite.requirements import required_packages

    required = required_packages(subject.tree, subject.profile, subject.expectation)
    return [(package.name, package) for package in required]


SOURCES: dict[str, Callable[[Subject], Sequence[tuple[str, Any]]]] = {
    "expected_file": lambda subject: [(file.path, file) for file in subject.expectation.files],
    "expected_module": lambda subject: [(name, name) for name in sorted(subject.expectation.modules)],
    "module_version": lambda subject: [(version, version) for version in sorted(subject.tree.module_versions)],
    "required_package": _packages,
    "started_agent": lambda subject: [("kata-agent", "kata-agent")] if subject.options.run_agent else [],
    "required_unit": _units,
    "waiver": lambda subject: [(waiver.title, waiver) for waiver in subject.expectation.waivers],
}


def parametrize(metafunc: pytest.Metafunc, names: Sequence[str]) -> None:
    """One test for each item of every fixture in `names`, all of which the test asks for."""
    for name in names:
        items = _items(metafunc.config.stash[SUBJECT], name)
        metafunc.parametrize(name, [value for _, value in items], indirect=True, ids=[text for text, _ in items])


def _items(subject: Subject, name: str) -> list[tuple[str, Any]]:
    """The items, each with its id; one that raises where they cannot be found out."""
    try:
        items = [(shown(text[:LONGEST_ID]), value) for text, value in SOURCES[name](subject)]
    except CouldNotLook as error:
        return [("unknown", error)]
    if len(items) > MOST_ITEMS:
        what = name.replace("_", " ")
        many = CouldNotLook(f"going through each {what}", f"there are {len(items)}", "Judge the rootfs of a guest.")
        return [("too-many", many)]
    return items or [("nothing", NOTHING)]


def asks_for_nothing(node: pytest.Function) -> bool:
    """Whether a test is about an item of a kind that this rootfs has none of."""
    callspec = getattr(node, "callspec", None)
    return callspec is not None and NOTHING in callspec.params.values()
