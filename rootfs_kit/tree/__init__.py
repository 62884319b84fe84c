"""The rootfs as a tree: one door to read it, one door to change it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rootfs_kit.tree.directory import DirectorySource
from rootfs_kit.tree.editor import RootfsEditor
from rootfs_kit.tree.entry import Entry, Kind
from rootfs_kit.tree.paths import Resolution
from rootfs_kit.tree.tree import RootfsFile, RootfsTree, Unreadable

__all__ = [
    "Entry",
    "Kind",
    "Resolution",
    "RootfsEditor",
    "RootfsFile",
    "RootfsTree",
    "Unreadable",
    "open_rootfs",
]


def open_rootfs(target: str | os.PathLike[str], owed: Sequence[Entry] = ()) -> RootfsTree:
    """The rootfs at `target`, a directory. Raises UsageError, CouldNotLook.

    `owed` are device nodes that belong to it and could not be made there.
    """
    return RootfsTree(os.fspath(target), DirectorySource(Path(target), owed))
