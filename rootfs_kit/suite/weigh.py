"""What a rootfs weighs: the bytes of its regular files, a file with several names counted once."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from rootfs_kit.tree import Kind, RootfsTree

MIB = 1024 * 1024


@lru_cache(maxsize=8)
def _sizes(tree: RootfsTree) -> Counter[str]:
    """Bytes by the first two parts of the path (/usr/lib)."""
    seen: set[tuple[int, int]] = set()
    sizes: Counter[str] = Counter()
    for entry in tree.walk("/", Kind.FILE):
        if entry.links > 1 and entry.file_id in seen:
            continue
        if entry.links > 1 and entry.file_id is not None:
            seen.add(entry.file_id)
        sizes["/".join(entry.path.split("/", 3)[:3])] += entry.size
    return sizes


def total_size(tree: RootfsTree) -> int:
    """Bytes of all regular files."""
    return sum(_sizes(tree).values())


def heaviest(tree: RootfsTree, count: int = 3) -> list[str]:
    """The `count` heaviest directories, in words."""
    return [f"{path} {size / MIB:.1f} MiB" for path, size in _sizes(tree).most_common(count)]
