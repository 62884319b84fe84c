"""rpm's list of installed packages: which of its databases a rootfs has, and what is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from rootfs_kit.tree.packages.database import damaged, read_database
from rootfs_kit.tree.packages.model import Package, PackageSet
from rootfs_kit.tree.packages.rpm_bdb import read_bdb
from rootfs_kit.tree.packages.rpm_header import DamagedRecord, parse_header
from rootfs_kit.tree.packages.rpm_ndb import read_ndb
from rootfs_kit.tree.packages.rpm_sqlite import COMPANIONS, read_sqlite

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

DIRECTORIES = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
"""Where Fedora and SUSE have it now, and where everybody had it: Kata's rootfs.sh:693-695 wipes the second only."""

SIGNING_KEY = "gpg-pubkey"
"""The name under which rpm keeps the keys that it trusts, among the packages."""


class Backend(NamedTuple):
    """One kind of database: how it is called here, its file, the suffixes of the files beside it, and its reader."""

    method: str
    file: str
    companions: tuple[str, ...]
    headers: Callable[[bytes, Mapping[str, bytes]], list[bytes]]


BACKENDS = (
    Backend("rpm-sqlite", "rpmdb.sqlite", COMPANIONS, read_sqlite),
    Backend("rpm-ndb", "Packages.db", (), lambda data, _: read_ndb(data)),
    Backend("rpm-bdb", "Packages", (), lambda data, _: read_bdb(data)),
)


def read_rpm(tree: RootfsTree) -> PackageSet | None:
    """What rpm says is installed; None where it has no database or an empty one. Raises CouldNotLook."""
    for directory in DIRECTORIES:
        for backend in BACKENDS:
            path = f"{directory}/{backend.file}"
            packages = _read(tree, path, backend)
            if packages:
                return PackageSet(backend.method, path, packages, rules="rpm")
    return None


def _read(tree: RootfsTree, path: str, backend: Backend) -> list[Package]:
    data = read_database(tree, path)
    if not data:
        return []
    companions = {suffix: read_database(tree, path + suffix) or b"" for suffix in backend.companions}
    try:
        packages = [parse_header(header) for header in backend.headers(data, companions)]
    except DamagedRecord as error:
        raise damaged(path, str(error)) from error
    return [package for package in packages if package.name != SIGNING_KEY]
