"""Engines run what a backend planned; they know places and rights, and nothing of packages."""

from __future__ import annotations

from typing import Protocol

from rootfs_kit.backends import Plan
from rootfs_kit.monitor import Monitor
from rootfs_kit.run import Log


class Engine(Protocol):
    """A place where commands are run: this host, and one day a user namespace or a container."""

    @property
    def name(self) -> str: ...

    def require_ready(self, plan: Plan) -> None:
        """Raise HostLacks, with the command that mends it, for whatever the plan needs and this place lacks."""
        ...

    def run(self, plan: Plan, monitor: Monitor, log: Log) -> None:
        """Run the plan's commands in order. Raises BuildFailed."""
        ...
