"""The rootfs as a tree: one door to read it, one door to change it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rootfs_kit.tree.directory import DirectorySource
from rootfs_kit.tree.editor import RootfsEditor
from rootfs_kit.tree.entry import Entry, Kind
from rootfs_kit.tree.layered import LayeredSource
from rootfs_kit.tree.paths import Resolution
from rootfs_kit.tree.source import Source
from rootfs_kit.tree.tree import RootfsFile, RootfsTree, Unreadable

__all__ = [
    "Entry",
    "Kind",
    "Resolution",
    "RootfsEditor",
    "RootfsFile",
    "RootfsTree",
    "Unreadable",
    "open_overlaid",
    "open_rootfs",
]

IMAGE_MARKS = ("manifest.json", "index.json")


def open_rootfs(
    target: str | os.PathLike[str],
    owed: Sequence[Entry] = (),
    *,
    arch: str | None = None,
    max_size: int | None = None,
) -> RootfsTree:
    """The rootfs at `target`: a directory, a tar or initrd (also compressed), a docker-save or OCI image.

    `oci:PATH:NAME` and `docker-archive:FILE:NAME` name one of several images; `arch` one for a machine. `max_size` is
    how many bytes an archive may be decompressed to (16 GiB where it is not given). `owed` are device nodes that belong
    to a directory and could not be made there.

    Raises UsageError for what cannot be opened, BadArchive for an archive that is damaged, a bomb, or none at all;
    HostLacks where there is no room to decompress it, CouldNotLook.
    """
    name = os.fspath(target)
    return RootfsTree(name, _open_source(name, owed, arch, max_size))


def open_overlaid(
    target: str | os.PathLike[str],
    base: str | os.PathLike[str],
    *,
    arch: str | None = None,
    max_size: int | None = None,
) -> RootfsTree:
    """What comes of the rootfs at `base` when the overlay at `target` is unpacked over it. Raises as `open_rootfs`."""
    name = os.fspath(target)
    below, above = (_open_source(one, (), arch, max_size) for one in (os.fspath(base), name))
    return RootfsTree(name, LayeredSource(below, above))


def _open_source(name: str, owed: Sequence[Entry], arch: str | None, max_size: int | None) -> Source:
    if _is_plain_directory(name):
        return DirectorySource(Path(name), owed)
    from rootfs_kit.tree.archives.limits import DEFAULT_LIMITS
    from rootfs_kit.tree.archives.opening import open_source
    from rootfs_kit.tree.archives.target import parse_target

    limits = DEFAULT_LIMITS if max_size is None else replace(DEFAULT_LIMITS, unpacked=max_size)
    return open_source(parse_target(name), arch, limits)


def _is_plain_directory(name: str) -> bool:
    """Whether it is a directory that cannot be an image, so that nothing of the archives need be loaded for it."""
    return os.path.isdir(name) and not any(os.path.exists(os.path.join(name, mark)) for mark in IMAGE_MARKS)
