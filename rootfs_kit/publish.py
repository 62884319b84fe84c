"""Publishing a finished tree: one rename, and whoever looks sees either the old tree or the new one.

An archive is published the same way; only on standard output there is nothing to rename.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from rootfs_kit.backends import Command
from rootfs_kit.errors import BuildFailed
from rootfs_kit.host.ownership import Owner, give_file, give_tree
from rootfs_kit.interrupts import held
from rootfs_kit.monitor import Monitor
from rootfs_kit.output import compression_of, write_archive
from rootfs_kit.request import BuildRequest
from rootfs_kit.run import Log, run
from rootfs_kit.staging import Staging, remove_tree
from rootfs_kit.tree import RootfsTree

AT_FDCWD = -100
STDOUT = 1
RENAME_EXCHANGE = 2
NOT_ALLOWED = "Check the rights on the directory above it, and build again."
OF_AN_IMAGE = (
    "The old tree belongs to the image of this container, or to another lower layer of an overlay filesystem, where no "
    "directory can be renamed (EXDEV). Build to a new directory, or remove the old one first."
)
"""Documentation/filesystems/overlayfs.rst, "renaming directories"."""


def copy_tree(source: Path, destination: Path, monitor: Monitor, log: Log) -> None:
    """Copy a tree with owners, modes, times, hard links, device nodes and extended attributes. Raises BuildFailed.

    `cp` of coreutils does that in the kernel where it can (copy_file_range(2), reflinks).
    """
    run(Command(("cp", "--archive", "--reflink=auto", "--", str(source), str(destination))), monitor, log)


def publish(staging: Staging, made: Path, owner: Owner | None, monitor: Monitor, log: Log) -> None:
    """Put the tree `made` at the target, as `owner`'s where there is one. Raises BuildFailed.

    What was there is removed afterwards, never before.

    Nothing is forced to disk: after a power cut within the next seconds, build again.
    """
    copy_tree(made, staging.tree, monitor, log)
    try:
        if owner is not None:
            give_tree(staging.tree, owner)
        with held():
            _put_in_place(staging)
    except OSError as error:
        raise BuildFailed(
            f"renaming the finished tree to {staging.target}",
            error.strerror or str(error),
            OF_AN_IMAGE if error.errno == errno.EXDEV else NOT_ALLOWED,
        ) from error
    remove_tree(staging.old)


def publish_archive(staging: Staging, tree: RootfsTree, owner: Owner | None, request: BuildRequest) -> None:
    """Write `tree` as an archive to the target, as `owner`'s where there is one, or to standard output.

    Raises BuildFailed, CouldNotLook.

    A reader of standard output that leaves early ends the build with BrokenPipeError.
    """
    try:
        if request.to_stdout:
            with open(STDOUT, "wb", closefd=False) as output:
                write_archive(tree, request.format, None, request.source_date_epoch, output)
            return
        with staging.archive.open("wb") as output:
            compression = compression_of(request.rootfs_dir)
            write_archive(tree, request.format, compression, request.source_date_epoch, output)
        if owner is not None:
            give_file(staging.archive, owner)
        staging.archive.replace(staging.target)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise BuildFailed(
            f"writing {staging.target}", error.strerror or str(error), "Check the rights and the free space there."
        ) from error


def _put_in_place(staging: Staging) -> None:
    if not staging.target.exists():
        staging.tree.rename(staging.target)
        return
    try:
        _exchange(staging.tree, staging.target)
        staging.tree.rename(staging.old)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        # A file system without RENAME_EXCHANGE: two renames, the old tree never deleted in between.
        staging.target.rename(staging.aside)
        staging.tree.rename(staging.target)
        staging.aside.rename(staging.old)


def _exchange(one: Path, other: Path) -> None:
    """Swap two directories in one step (renameat2(2)). Raises OSError."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
