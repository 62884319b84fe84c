"""No time in the rootfs is later than SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/)."""

from __future__ import annotations

import os

from rootfs_kit.tree import RootfsEditor, open_rootfs


def clamp_times(editor: RootfsEditor, epoch: int) -> None:
    """Set every later modification time to `epoch`, in seconds since 1970."""
    for entry in open_rootfs(editor.root).walk():
        if entry.mtime <= epoch:
            continue
        if entry.path == "/":
            os.utime(editor.root, (epoch, epoch))
        else:
            editor.set_times(entry.path, epoch)
