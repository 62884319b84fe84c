"""An ordinary user's Podman: its containers live in a user namespace of Podman's, and only there can the tree go on.

Docker's service has the rights that it needs, and its client works inside a namespace of ours. Podman has no service:
called inside another namespace than its own, it finds neither its images nor its rights.
"""

from __future__ import annotations

import os
import sys

from rootfs_kit import host
from rootfs_kit.engines.container.client import Client
from rootfs_kit.errors import HostLacks
from rootfs_kit.host.user_namespace import become_root, require_namespace


def lives_in_its_own_namespace(client: Client) -> bool:
    return client.is_podman and not client.url and not host.is_root()


def require_rights(client: Client) -> None:
    """Raise HostLacks where this user could not give the files of a tree to their owners."""
    if not lives_in_its_own_namespace(client):
        require_namespace()


def gain_rights(client: Client) -> None:
    """Become root of a user namespace; with a user's Podman, start this program again in Podman's (podman-unshare(1)).

    Nothing was begun yet when that happens. Raises HostLacks.
    """
    if not lives_in_its_own_namespace(client):
        become_root()
        return
    try:
        os.execvp(client.program, [client.program, "unshare", sys.executable, "-m", "rootfs_kit", *sys.argv[1:]])
    except OSError as error:
        reason = error.strerror or str(error)
        raise HostLacks("entering Podman's user namespace", reason, "See that `podman unshare true` works.") from error
