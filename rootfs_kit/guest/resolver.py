"""/etc/resolv.conf, over which the agent mounts the sandbox's own (src/agent/src/network.rs:12-80).

It has to be a regular file: behind a link there is nothing to mount over, and names silently do not resolve.
"""

from __future__ import annotations

from rootfs_kit.guest.places import write_anew
from rootfs_kit.monitor import Monitor
from rootfs_kit.tree import RootfsEditor

RESOLV_CONF = "/etc/resolv.conf"


def empty_resolver(editor: RootfsEditor) -> None:
    """Make the file empty: package managers copy the build host's, with name servers that no guest can reach."""
    write_anew(editor, RESOLV_CONF, "")


def provide_resolver(editor: RootfsEditor, monitor: Monitor) -> None:
    """Make it a file in somebody's own tree; what they wrote there is theirs, and stays."""
    entry = editor.lstat(RESOLV_CONF)
    if entry is None or not entry.is_file:
        write_anew(editor, RESOLV_CONF, "")
    elif entry.size:
        monitor.note(f"{RESOLV_CONF} is not empty, and stays as it is: every guest will have those name servers")
