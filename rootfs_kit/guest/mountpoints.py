"""What has to be there before anything is mounted: the places to mount on, and the first device nodes.

A guest's root may be read-only, so that neither systemd nor an agent as init can make a directory to mount on
(src/agent/src/mount.rs:55-64, 133-162). Of an initrd the kernel opens /dev/console for the first program's input and
output (kata-containers#6261: without it the guest is mute); for an image it mounts devtmpfs first.
"""

from __future__ import annotations

import stat

from rootfs_kit.errors import BuildFailed
from rootfs_kit.monitor import Monitor
from rootfs_kit.tree import RootfsEditor

PLACES = {"/dev": 0o755, "/proc": 0o555, "/run": 0o755, "/sys": 0o555, "/tmp": 0o1777}
# kernel Documentation/admin-guide/devices.txt
NODES = {
    "/dev/console": (0o600, (5, 1)),
    "/dev/full": (0o666, (1, 7)),
    "/dev/null": (0o666, (1, 3)),
    "/dev/ptmx": (0o666, (5, 2)),
    "/dev/random": (0o666, (1, 8)),
    "/dev/tty": (0o666, (5, 0)),
    "/dev/urandom": (0o666, (1, 9)),
    "/dev/zero": (0o666, (1, 5)),
}


def provide_mount_points(editor: RootfsEditor) -> None:
    """Make the directories that are not there; what is there keeps its mode, but for a /tmp not open to everybody."""
    for path, mode in PLACES.items():
        if not editor.exists(path):
            editor.make_directory(path, mode)
    temporary = editor.resolve("/tmp").entry
    if temporary is not None and temporary.is_directory and temporary.mode != PLACES["/tmp"]:
        editor.chmod("/tmp", PLACES["/tmp"])


def provide_devices(editor: RootfsEditor, monitor: Monitor) -> None:
    """Make the nodes that are not there. Where this user may not make nodes, say so: an image does without."""
    for path, (mode, device) in NODES.items():
        if editor.lstat(path) is not None:
            continue
        try:
            editor.make_node(path, stat.S_IFCHR | mode, device)
        except BuildFailed as error:
            monitor.note(f"{path} cannot be made here ({error.found}): good for an image, but an initrd needs it")
            return
