"""What the links in `.wants/` directories mean to systemd.

It goes by the name of the link. What is no link is passed over, a link to nothing but /dev/null or to an empty file
is a mask; where else a link leads does not matter, except for a warning (systemd's src/core/load-dropin.c,
process_deps).
"""

from __future__ import annotations

from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.paths import basename
from rootfs_kit.tree.units import find_unit


def starts_its_unit(rootfs: RootfsTree, path: str) -> bool:
    """Whether there is a link at `path`, to a file that says something."""
    file = rootfs.file(path)
    return file.is_symlink and file.is_file and file.size > 0


def says_how_it_fails(rootfs: RootfsTree, path: str) -> str:
    """What is at `path` that starts no unit."""
    file = rootfs.file(path)
    if not file.is_file:
        return file.describe()
    return "a mask: an empty file" if file.size == 0 else "a regular file, which systemd passes over"


def names_another_unit(rootfs: RootfsTree, path: str) -> bool:
    """Whether the link at `path` leads to a file of another name than its own, and not to an alias of the unit."""
    unit = find_unit(rootfs, basename(path))
    names = {basename(path), *(unit.names if unit is not None else ())}
    return basename(rootfs.file(path).link_text or "") not in names
