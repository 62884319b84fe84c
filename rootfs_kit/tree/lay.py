"""Laying a host directory over a rootfs: what was there stays, unless the directory brings something of that name."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from rootfs_kit.errors import UsageError
from rootfs_kit.tree.paths import join, normalise

if TYPE_CHECKING:
    from rootfs_kit.tree.editor import RootfsEditor


def lay_over(editor: RootfsEditor, source: Path, path: str) -> None:
    """Copy the content of `source` over the guest directory `path`.

    Directories that are there, or links to directories, stay as they are; files and links are replaced. Modes,
    owners, times, hard links, device nodes and extended attributes come along. Raises UsageError for a source that
    cannot be read, or that has a file where the tree has a directory.
    """
    if not source.is_dir():
        raise UsageError(f"copying {source} into the rootfs", "it is not a directory", "Name a directory of files.")
    first_names: dict[tuple[int, int], str] = {}
    waiting = [(source, normalise(path))]
    while waiting:
        directory, place = waiting.pop()
        editor.make_directory(place)
        for found in _listing(directory):
            guest = join(place, found.name)
            if found.is_dir(follow_symlinks=False):
                _lay_directory(editor, found, guest)
                waiting.append((Path(found.path), guest))
            else:
                _lay_entry(editor, found, guest, first_names)


def _listing(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as listing:
            return sorted(listing, key=lambda found: found.name)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"reading {directory}", reason, "Make the directory readable for this user.") from error


def _lay_directory(editor: RootfsEditor, found: os.DirEntry[str], guest: str) -> None:
    if editor.exists(guest):
        return
    status = found.stat(follow_symlinks=False)
    editor.make_directory(guest, stat.S_IMODE(status.st_mode))
    editor.chown(guest, status.st_uid, status.st_gid)


def _lay_entry(
    editor: RootfsEditor, found: os.DirEntry[str], guest: str, first_names: dict[tuple[int, int], str]
) -> None:
    present = editor.lstat(guest)
    if present is not None and present.is_directory:
        raise UsageError(
            f"copying {found.path} into the rootfs",
            f"{guest} is a directory there",
            "Rename the file, or remove the directory first.",
        )
    status = found.stat(follow_symlinks=False)
    known = (status.st_dev, status.st_ino)
    if status.st_nlink > 1 and known in first_names:
        editor.hardlink(first_names[known], guest)
        return
    first_names[known] = guest
    _make_entry(editor, found, status, guest)


def _make_entry(editor: RootfsEditor, found: os.DirEntry[str], status: os.stat_result, guest: str) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        editor.symlink(guest, os.readlink(found.path))
        editor.chown(guest, status.st_uid, status.st_gid)
    elif stat.S_ISREG(status.st_mode):
        editor.copy_in(Path(found.path), guest, mode, status.st_uid, status.st_gid)
        for name in os.listxattr(found.path, follow_symlinks=False):
            editor.set_xattr(guest, name, os.getxattr(found.path, name, follow_symlinks=False))
    elif not stat.S_ISSOCK(status.st_mode):
        device = (os.major(status.st_rdev), os.minor(status.st_rdev))
        editor.make_node(guest, status.st_mode, device)
        editor.chown(guest, status.st_uid, status.st_gid)
    editor.set_times(guest, status.st_mtime)
