"""Places that a tree cannot be asked about: what is there at boot is mounted, or made, by the guest itself."""

from __future__ import annotations

from rootfs_kit.tree import RootfsTree

MOUNTED_OVER = ("dev", "proc", "run", "sys", "tmp")
"""systemd mounts over all of them before it starts the agent (file-hierarchy(7); kata-containers.target: tmp.mount)."""


def appears_at_boot(rootfs: RootfsTree, path: str) -> bool:
    """Whether `path` leads to where a running guest has file systems of its own, links like /var/run followed."""
    resolution = rootfs.resolve(path)
    end = resolution.final or resolution.missing_at or path
    return any(one.lstrip("/").partition("/")[0] in MOUNTED_OVER for one in (path, end))
