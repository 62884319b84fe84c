"""What one particular tree has to hold, item by item: packages, units, files, modules.

Each item becomes a test of its own, so that it can be waived on its own. Items come from the expectations, from the
description of the tree's distribution, and from what rootfs-kit's manifest says was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rootfs_kit.errors import UsageError
from rootfs_kit.suite.anatomy import manifest
from rootfs_kit.suite.bounds import ANY_VERSION, Bounds
from rootfs_kit.suite.expectation import Expectation
from rootfs_kit.suite.profile import Profile
from rootfs_kit.suite.summary_document import SUMMARY, NoSummary, field, read_summary
from rootfs_kit.tree import RootfsTree

if TYPE_CHECKING:
    from rootfs_kit.distro import Distro
    from rootfs_kit.tree.packages import PackageSet

# os-release(5), ID=. Anything else in a tree of a stranger must not choose a file of this host.
DISTRO_ID = re.compile(r"[a-z0-9._-]{1,64}")


class RequiredPackage(NamedTuple):
    """A package that must be installed, who requires it, and the versions that will do."""

    name: str
    required_by: str
    bounds: Bounds = ANY_VERSION

    def accepts(self, packages: PackageSet) -> bool:
        """Whether the installed version will do, by the rules of the database's own format. Raises CouldNotLook."""
        return self.bounds.accept(packages, self.name)


class RequiredUnit(NamedTuple):
    """A unit that systemd must be able to load."""

    name: str
    required_by: str


def required_packages(tree: RootfsTree, profile: Profile, expectation: Expectation) -> list[RequiredPackage]:
    """Sorted by name; where several require a package, the expectations' word counts, then the manifest's."""
    required = {name: RequiredPackage(name, by) for name, by in _packages_of_the_distro(tree, profile, expectation)}
    written = manifest(tree)
    if written is not None:
        required |= {name: RequiredPackage(name, "the manifest") for name in written.requested_packages}
    for package in expectation.packages:
        if package.absent:
            required.pop(package.name, None)
        else:
            required[package.name] = RequiredPackage(package.name, "the expectations", package.bounds)
    return [required[name] for name in sorted(required)]


def required_units(expectation: Expectation) -> list[RequiredUnit]:
    """Sorted by name."""
    return [RequiredUnit(name, "the expectations") for name in sorted(expectation.units)]


@lru_cache(maxsize=8)
def known_distro(tree: RootfsTree, expected: str | None = None) -> Distro | None:
    """The distribution of the tree, where rootfs-kit has a description of it.

    As os-release says; where that names none that is known, as the expectations, the manifest or osbuilder.yaml say.
    """
    said = (name for name in _names_of_the_distro(tree, expected) if name is not None and DISTRO_ID.fullmatch(name))
    return next((distro for name in said if (distro := _described(name)) is not None), None)


def nothing_requires_packages(tree: RootfsTree, expectation: Expectation) -> bool:
    """Whether nobody says what must be installed: no known distribution, no manifest, and no expectations."""
    written = manifest(tree)
    asked = (written is not None and written.requested_packages) or not all(one.absent for one in expectation.packages)
    return not asked and known_distro(tree, expectation.distro) is None


def _names_of_the_distro(tree: RootfsTree, expected: str | None) -> Iterator[str | None]:
    yield tree.os_release.get("ID")
    yield expected
    written = manifest(tree)
    yield written.distro if written is not None else None
    if tree.file(SUMMARY).is_file:
        with suppress(NoSummary):
            yield (field(read_summary(tree), "base-distro.name") or "").lower()


def _described(name: str) -> Distro | None:
    from rootfs_kit.distro.search import distro_named, distro_of

    try:
        return distro_of(name) or distro_named(name)
    except UsageError:
        return None


def _packages_of_the_distro(tree: RootfsTree, profile: Profile, expectation: Expectation) -> Iterable[tuple[str, str]]:
    distro = known_distro(tree, expectation.distro)
    if distro is None:
        return []
    rules = distro.packages
    names = [*rules.base, *rules.init.get(profile.init, ())]
    for feature in profile.features:
        names += rules.features.get(feature, ())
    return [(name, f"the description of {distro.title}") for name in names]
