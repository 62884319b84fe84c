"""An ordinary user's engine: the tools of this host, run as root of a user namespace (user_namespaces(7))."""

from __future__ import annotations

from rootfs_kit.backends import Plan
from rootfs_kit.engines.host import HostEngine, require_tools
from rootfs_kit.host.user_namespace import become_root, require_namespace


class UsernsEngine(HostEngine):
    """Enters the namespace once; from there on it is the host's engine, and its result the same."""

    name = "userns"

    def require_ready(self, plan: Plan) -> None:
        """Raises HostLacks when this user can have no namespace, or when a tool is missing."""
        require_namespace()
        require_tools(plan)

    def gain_rights(self) -> None:
        """Raises HostLacks."""
        become_root()
