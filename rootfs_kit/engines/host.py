"""The host itself, as root: the package manager's own tools, run where they are installed."""

from __future__ import annotations

import os
import shutil

from rootfs_kit.backends import Plan, Tool
from rootfs_kit.errors import HostLacks
from rootfs_kit.host import install_command
from rootfs_kit.monitor import Monitor
from rootfs_kit.run import DEFAULT_PATH, Log, run


class HostEngine:
    """Runs the commands of a plan one after the other, as root on this host."""

    name = "host"

    def require_ready(self, plan: Plan) -> None:
        """Raises HostLacks when this is not root, or when a tool is missing."""
        if os.geteuid() != 0:
            raise HostLacks(
                "starting the build",
                "this user is not root, and the package manager must give files to other owners",
                "Run it with sudo.",
            )
        for tool in plan.tools:
            if find_tool(tool) is None:
                raise HostLacks(
                    "looking for the tools of the build", f"{tool.program} is not installed", install_command([tool])
                )

    def run(self, plan: Plan, monitor: Monitor, log: Log) -> None:
        """Raises BuildFailed."""
        for command in plan.commands:
            run(command, monitor, log)


def find_tool(tool: Tool) -> str | None:
    """Where the program is, also in the directories that an ordinary user's PATH leaves out."""
    return shutil.which(tool.program, path=f"{os.environ.get('PATH', '')}:{DEFAULT_PATH}")
