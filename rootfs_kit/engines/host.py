"""The host itself, as root: the package manager's own tools, run where they are installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from rootfs_kit.backends import Plan, Planner, Site, Tool
from rootfs_kit.engines import Workbench
from rootfs_kit.errors import BuildFailed, HostLacks
from rootfs_kit.host import install_command
from rootfs_kit.run import DEFAULT_PATH, run


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
            if tool.fetch is None and find_tool(tool) is None:
                raise HostLacks(
                    "looking for the tools of the build", f"{tool.program} is not installed", install_command([tool])
                )

    def fill(self, bench: Workbench, planner: Planner, mirror: str | None) -> Plan:
        """Raises BuildFailed."""
        plan = planner(Site(bench.tree, bench.scratch / "files", mirror))
        lay_files(plan.files, bench.scratch / "files")
        bench.tree.mkdir()
        for command in plan.commands:
            run(command, bench.monitor, bench.log)
        return plan


def lay_files(files: Mapping[str, bytes | Path], directory: Path) -> None:
    """Write a plan's own files where its commands will look for them."""
    for name, content in files.items():
        place = directory / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path) and content.is_dir():
            _copy_directory(content, place)
        elif isinstance(content, Path):
            shutil.copyfile(content, place)
        else:
            place.write_bytes(content)


def _copy_directory(directory: Path, place: Path) -> None:
    """Its files and links as they are. Raises BuildFailed for what cannot be copied: a socket, an unreadable file."""
    try:
        shutil.copytree(directory, place, symlinks=True)
    except (OSError, shutil.Error) as error:
        found = error.args[0][0][2] if isinstance(error, shutil.Error) else error
        raise BuildFailed(f"copying {directory}", str(found), "Move what is no part of it out of the way.") from error


def find_tool(tool: Tool) -> str | None:
    """Where the program is, also in the directories that an ordinary user's PATH leaves out."""
    return shutil.which(tool.program, path=f"{os.environ.get('PATH', '')}:{DEFAULT_PATH}")
