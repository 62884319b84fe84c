"""From what a user named to what it is recorded in: a directory, an archive, or an image in either."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rootfs_kit.errors import BadArchive, UsageError
from rootfs_kit.tree.archives.docker_save import MANIFEST, layers_of_save
from rootfs_kit.tree.archives.layers import Container, stacked
from rootfs_kit.tree.archives.limits import Budget, Limits
from rootfs_kit.tree.archives.media import Media
from rootfs_kit.tree.archives.oci import INDEX, layers_of_layout
from rootfs_kit.tree.archives.recognition import HINT, TAR, read_archive
from rootfs_kit.tree.archives.source import ArchiveSource
from rootfs_kit.tree.archives.target import DOCKER, OCI, Target
from rootfs_kit.tree.directory import DirectorySource
from rootfs_kit.tree.paths import shown
from rootfs_kit.tree.tree import RootfsTree

OF_A_ROOT = frozenset(
    ("bin", "dev", "etc", "init", "lib", "lib64", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var")
)
"""What stands in a root file system and in no image layout: files planted in a rootfs must not make it an image."""
MARKS = {DOCKER: MANIFEST, OCI: INDEX}
OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def open_source(target: Target, arch: str | None, limits: Limits) -> DirectorySource | ArchiveSource:
    """What `target` is recorded in. `arch` chooses from an image for several.

    Raises UsageError where nothing can be read there, BadArchive for what is no rootfs or damaged, HostLacks where
    there is no room to decompress it.
    """
    container = _container(target.path, limits)
    if target.image is None and not isinstance(container.source, DirectorySource) and container.source.kind != TAR:
        return container.source
    kind = target.image or _image_kind(container.tree)
    if kind is None:
        return container.source
    if not container.tree.file(MARKS[kind]).is_file:
        raise BadArchive(f"reading {shown(str(target.path))}", f"it has no {MARKS[kind].lstrip('/')}", HINT)
    read = layers_of_layout if kind == OCI else layers_of_save
    return stacked(kind, container, read(container.tree, target.reference, arch))


def _container(path: Path, limits: Limits) -> Container:
    media = Media(Budget(shown(str(path)), limits))
    source = DirectorySource(path) if os.path.isdir(path) else _open_archive(path, media)
    return Container(RootfsTree(str(path), source), source, media)


def _image_kind(tree: RootfsTree) -> str | None:
    names = frozenset(tree.listdir("/"))
    if names & OF_A_ROOT:
        return None
    if "manifest.json" in names:
        return DOCKER
    return OCI if {"index.json", "oci-layout"} <= names else None


def _open_archive(path: Path, media: Media) -> ArchiveSource:
    name = shown(str(path))
    try:
        file = os.fdopen(os.open(path, OPEN_FLAGS), "rb")
        mode = os.fstat(file.fileno()).st_mode
    except FileNotFoundError as error:
        raise UsageError(f"opening {name}", "there is no such directory or archive", HINT) from error
    except (OSError, ValueError) as error:
        raise UsageError(f"opening {name}", getattr(error, "strerror", None) or str(error), HINT) from error
    if not stat.S_ISREG(mode):
        file.close()
        raise UsageError(f"opening {name}", "it is neither a directory nor a regular file", HINT)
    return read_archive(media.add(file, name), media)
