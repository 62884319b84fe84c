"""Which packages a rootfs holds, learnt from its own files: no chroot, no root rights, no package manager.

Each witness is a module: the databases of the package managers, the documents that builders leave, and at last the
files that packages are known by. The first that has packages answers for all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rootfs_kit.tree.packages.apk import read_installed
from rootfs_kit.tree.packages.documents import read_manifest, read_summary
from rootfs_kit.tree.packages.dpkg import read_status, read_status_d
from rootfs_kit.tree.packages.files import read_files
from rootfs_kit.tree.packages.model import Package, PackageSet, Presence, Provided
from rootfs_kit.tree.packages.pacman import read_local
from rootfs_kit.tree.packages.rpm import read_rpm

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

__all__ = ["Package", "PackageSet", "Presence", "Provided", "read_packages"]

WITNESSES: tuple[Callable[[RootfsTree], PackageSet | None], ...]


def read_packages(tree: RootfsTree) -> PackageSet:
    """The packages of `tree` by the first witness that knows of any; of method "unknown" where none does.

    Raises CouldNotLook for a database that is there and is damaged or may not be read: what it would have said is
    not to be had from a lesser witness.
    """
    for witness in WITNESSES:
        packages = witness(tree)
        if packages is not None:
            return packages
    return PackageSet("unknown", None, (), complete=False)


WITNESSES = (
    read_status,
    read_status_d,
    read_installed,
    read_rpm,
    read_local,
    read_manifest,
    read_summary,
    read_files,
)
