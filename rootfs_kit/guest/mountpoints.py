"""What has to be there before anything is mounted: the places to mount on, and the first device nodes.

A guest's root may be read-only, so that neither systemd nor an agent as init can make a directory to mount on
(src/agent/src/mount.rs:55-64, 133-162). Of an initrd the kernel opens /dev/console for the first program's input and
output (kata-containers#6261: without it the guest is mute); for an image it mounts devtmpfs first.
"""

from __future__ import annotations

import stat
import time

from rootfs_kit.errors import BuildFailed
from rootfs_kit.tree import Entry, Kind, RootfsEditor

PLACES = {"/dev": 0o755, "/proc": 0o555, "/run": 0o755, "/sys": 0o555, "/tmp": 0o1777}
# kernel Documentation/admin-guide/devices.txt, "Compulsory links" among others
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
LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
}
DIRECTORIES = ("/dev/pts", "/dev/shm")


def provide_mount_points(editor: RootfsEditor) -> None:
    """Make the directories that are not there; what is there keeps its mode, but for a /tmp not open to everybody."""
    for path, mode in PLACES.items():
        if not editor.exists(path):
            editor.make_directory(path, mode)
    temporary = editor.resolve("/tmp").entry
    if temporary is not None and temporary.is_directory and temporary.mode != PLACES["/tmp"]:
        editor.chmod("/tmp", PLACES["/tmp"])


def provide_devices(editor: RootfsEditor) -> tuple[Entry, ...]:
    """Make of a guest's first /dev what is not there, and give back the nodes that this user may not make.

    Package managers differ in what they leave in /dev, and each from itself between root and an ordinary user.
    Afterwards it is the same, down to its time. Raises BuildFailed.
    """
    for path in DIRECTORIES:
        editor.make_directory(path)
    for path, target in LINKS.items():
        if editor.lstat(path) is None:
            editor.symlink(path, target)
    owed = tuple(node for path in NODES for node in _provide_node(editor, path))
    editor.set_times("/dev", time.time())
    return owed


def _provide_node(editor: RootfsEditor, path: str) -> tuple[Entry, ...]:
    mode, device = NODES[path]
    there = editor.lstat(path)
    if there is not None and there.is_file:
        # A package's script wrote to the node where there was none, as where an ordinary user builds.
        editor.remove(path)
    elif there is not None:
        if there.device == device and there.mode != mode:
            editor.chmod(path, mode)
        return ()
    try:
        editor.make_node(path, stat.S_IFCHR | mode, device)
    except BuildFailed as error:
        if not isinstance(error.__cause__, PermissionError):
            raise
        return (Entry(path, Kind.CHAR_DEVICE, mode, 0, 0, 0, time.time(), device=device),)
    return ()
