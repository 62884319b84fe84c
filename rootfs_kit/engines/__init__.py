"""Engines run what a backend planned; they know places and rights, and nothing of packages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rootfs_kit.backends import Plan, Planner
from rootfs_kit.monitor import Monitor
from rootfs_kit.run import Log


@dataclass(frozen=True)
class Workbench:
    """What one filling of a tree has to work with.

    `tree` does not exist yet; `scratch` is a directory that goes; `cache` may exist, and is kept from build to build.
    """

    tree: Path
    scratch: Path
    cache: Path
    monitor: Monitor
    log: Log


class Engine(Protocol):
    """A place where commands are run."""

    @property
    def name(self) -> str: ...

    @property
    def is_elsewhere(self) -> bool:
        """Whether it may be on another machine, which reaches other mirrors than this one does."""
        ...

    def require_ready(self, plan: Plan) -> None:
        """Raise HostLacks, with the command that mends it, for whatever the plan needs and this place lacks."""
        ...

    def require_runnable(self, machine: str) -> None:
        """Raise HostLacks, with the command that mends it, where programs of `machine` do not run in this place.

        Where that cannot be seen from here, the build is to find out.
        """
        ...

    def gain_rights(self) -> None:
        """Let this process give files to any owner, if it cannot yet; called once, when the engine is ready.

        There is no way back: whatever needs the user's own view of the host is done before. Raises HostLacks.
        """
        ...

    def fill(self, bench: Workbench, planner: Planner, mirror: str | None) -> Plan:
        """Make `bench.tree` with what the planner's commands put into it, and say what was done. Raises BuildFailed."""
        ...
