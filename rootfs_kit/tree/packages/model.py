"""What was learnt about the packages of a rootfs, and how sure one may be of what it does not name.

Three answers, not two: a guest whose database was wiped (Kata's rootfs.sh:693-695 removes /var/lib) has lost the
list, not the packages. Reading the databases is left to the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cached_property
from typing import NamedTuple

from rootfs_kit.tree.packages.version import Rules, satisfies


class Presence(Enum):
    """Whether a package is in the rootfs, as far as the rootfs itself can tell."""

    INSTALLED = "installed"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Provided(NamedTuple):
    """A name that a package stands in for; `version` is empty where it provides the name without one."""

    name: str
    version: str = ""


class Package(NamedTuple):
    """One package. An empty string means that the source of the knowledge does not say.

    `status` is the database's own word ("install ok installed" of dpkg), `installed_size` is in bytes,
    `source` and `source_version` name what the package was built from.
    """

    name: str
    version: str = ""
    architecture: str = ""
    source: str = ""
    status: str = "installed"
    installed_size: int | None = None
    provides: tuple[Provided, ...] = ()
    source_version: str = ""


class PackageSet(Mapping[str, Package]):
    """The packages of a rootfs by name, and what was asked to learn them.

    Iteration yields the names of packages. `in`, `[]` and `get` also find a package by a name that it provides.
    Of several instances of one name (multiarch, parallel kernels) `[]` gives the first; `every` gives all.

    `method` says what answered ("dpkg", "rpm-sqlite", "manifest", "files", "unknown", ...), `source_path` where it
    lies (None for "files" and "unknown"), `rules` how its versions compare (None where it has none). A `complete`
    source lists all that is installed, so that what it does not list is absent; of any other source only the
    names in `absent` are known to be.
    """

    def __init__(
        self,
        method: str,
        source_path: str | None,
        packages: Iterable[Package],
        *,
        rules: Rules | None = None,
        complete: bool = True,
        absent: frozenset[str] = frozenset(),
    ) -> None:
        self.method = method
        self.source_path = source_path
        self.rules = rules
        self._complete = complete
        self._absent = absent
        self._by_name: dict[str, list[Package]] = {}
        for package in packages:
            self._by_name.setdefault(package.name, []).append(package)

    def __getitem__(self, name: str) -> Package:
        found = self.every(name) or self.provides(name)
        if not found:
            raise KeyError(name)
        return found[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"<PackageSet of {len(self)} packages, asked of: {self.method}>"

    def every(self, name: str) -> tuple[Package, ...]:
        """All packages called `name`, which is none, one, or one per architecture or parallel version."""
        return tuple(self._by_name.get(name, ()))

    def provides(self, name: str) -> tuple[Package, ...]:
        """The packages that stand in for `name` without being called so."""
        return tuple(self._providers.get(name, ()))

    def answer(self, name: str) -> Presence:
        """Whether `name` is installed, by itself or through a package that provides it."""
        if name in self:
            return Presence.INSTALLED
        if self._complete or name in self._absent:
            return Presence.ABSENT
        return Presence.UNKNOWN

    def satisfies(self, name: str, bounds: str) -> bool | None:
        """Whether an installed version of `name` lies within `bounds` (">= 1.2, < 3").

        None when no version of it is known: the package is not there, or the source of the knowledge lists none.
        Raises UsageError for bounds that cannot be understood.
        """
        versions = [package.version for package in self.every(name)] or self._versions_provided(name)
        if self.rules is None or not any(versions):
            return None
        rules = self.rules
        return any(satisfies(rules, version, bounds) for version in versions if version)

    def _versions_provided(self, name: str) -> list[str]:
        return [
            provided.version
            for package in self.provides(name)
            for provided in package.provides
            if provided.name == name
        ]

    @cached_property
    def _providers(self) -> dict[str, list[Package]]:
        providers: dict[str, list[Package]] = {}
        for instances in self._by_name.values():
            for package in instances:
                for name in {provided.name for provided in package.provides} - {package.name}:
                    providers.setdefault(name, []).append(package)
        return providers
