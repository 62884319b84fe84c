"""Which machine a rootfs is for, told by the programs that every rootfs has."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

WITNESSES = (
    "/bin/sh", "/bin/bash", "/bin/busybox", "/usr/bin/env", "/usr/lib/systemd/systemd", "/lib/systemd/systemd",
    "/sbin/apk", "/usr/bin/dpkg", "/usr/bin/rpm", "/sbin/ldconfig", "/usr/sbin/ldconfig.real",
)  # fmt: skip


@lru_cache(maxsize=8)
def rootfs_machine(tree: RootfsTree) -> str | None:
    """The kernel's name (`uname -m`) of the machine that the tree's own programs are built for.

    None where none of them is there, as in an overlay. The agent and init are no witnesses: they are what is judged.
    """
    from rootfs_kit.tree.elf import NotElf

    for path in WITNESSES:
        if tree.file(path).is_file:
            try:
                return tree.elf(path).machine
            except NotElf:
                continue
    return None
