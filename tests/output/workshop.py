"""A tree with everything in it that an archive may get wrong."""

from __future__ import annotations

import io
import os
from pathlib import Path

from rootfs_kit.output import Compression, write_archive
from rootfs_kit.request import Format
from rootfs_kit.tree import Entry, Kind, open_rootfs

EPOCH = 1_700_000_000
LATER = EPOCH + 86_400
EARLIER = EPOCH - 86_400
CONSOLE = Entry("/dev/console", Kind.CHAR_DEVICE, 0o600, 0, 0, 0, LATER, device=(5, 1))
LONG = "/".join(["directory-with-a-long-name" * 3] * 3)


def tree_of_all_sorts(root: Path) -> Path:
    """Needs root, for owners and nodes."""
    for name in ("bin", "dev", "etc", LONG):
        (root / name).mkdir(parents=True)
    (root / "bin/tool").write_bytes(b"#!/bin/sh\n")
    (root / "bin/tool").chmod(0o4755)
    os.link(root / "bin/tool", root / "bin/alias")
    os.link(root / "bin/tool", root / "etc/third-name")
    (root / "etc/empty").touch()
    (root / "etc/odd-size").write_bytes(b"x" * 1021)
    os.chown(root / "etc/odd-size", 1234, 5678)
    (root / LONG / ("file" * 40)).write_text("deep")
    (root / "etc/link").symlink_to("target/" * 30)
    Path(os.fsdecode(os.fsencode(root) + b"/etc/caf\xe9")).write_text("latin-1")
    (root / "etc/Straße").write_text("utf-8")
    os.mkfifo(root / "etc/fifo")
    os.mknod(root / "dev/null", 0o20666, os.makedev(1, 3))
    os.chmod(root / "dev/null", 0o666)
    for place in sorted(root.rglob("*"), reverse=True):
        os.utime(place, (LATER, EARLIER if place.name == "empty" else LATER), follow_symlinks=False)
    root.chmod(0o755)
    return root


def archive(
    root: Path, form: Format, compression: Compression | None = None, owed: tuple[Entry, ...] = (), epoch: int = EPOCH
) -> bytes:
    output = io.BytesIO()
    write_archive(open_rootfs(root, owed), form, compression, epoch, output)
    return output.getvalue()
