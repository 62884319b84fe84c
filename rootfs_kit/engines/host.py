"""The host itself, as root: the package manager's own tools, run where they are installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rootfs_kit.backends import Command, PinnedFile, Plan, Planner, Site, Tool
from rootfs_kit.engines import Workbench
from rootfs_kit.errors import BuildFailed, HostLacks
from rootfs_kit.host import emulation, install_command, is_root
from rootfs_kit.run import DEFAULT_PATH, run


class HostEngine:
    """Runs the commands of a plan one after the other, as root on this host."""

    name = "host"
    is_elsewhere = False

    def require_ready(self, plan: Plan) -> None:
        """Raises HostLacks when this is not root, or when a tool is missing."""
        if not is_root():
            raise HostLacks(
                "starting the build",
                "this user is not root, and the package manager must give files to other owners",
                "Run it with sudo, or with --engine userns.",
            )
        require_tools(plan)

    def require_runnable(self, machine: str) -> None:
        """Raises HostLacks."""
        emulation.require_runnable(machine)

    def gain_rights(self) -> None:
        """Root has them all."""

    def fill(self, bench: Workbench, planner: Planner, mirror: str | None) -> Plan:
        """Raises BuildFailed."""
        plan = planner(Site(bench.tree, bench.scratch / "files", mirror))
        lay_files(plan.files, bench.scratch / "files")
        programs = fetch_missing(plan.tools, bench.cache, bench.scratch)
        bench.tree.mkdir()
        temporary = _directory_for_temporary_files(bench.scratch)
        for command in plan.commands:
            found = with_programs(with_tool_found(command, plan.tools), programs)
            run(replace(found, environment={"TMPDIR": temporary, **command.environment}), bench.monitor, bench.log)
        return plan


def _directory_for_temporary_files(scratch: Path) -> str:
    """A place for the temporary files of programs: they go with the build, even if a program is killed."""
    place = scratch / "temporary"
    place.mkdir()
    place.chmod(0o1777)
    return str(place)


def require_tools(plan: Plan) -> None:
    """Raise HostLacks, with the command that installs them, for the tools of `plan` that this host has not."""
    missing = missing_tools(plan)
    if missing:
        names = ", ".join(tool.program for tool in missing)
        raise HostLacks("looking for the tools of the build", f"not installed: {names}", install_command(missing))


def missing_tools(plan: Plan) -> list[Tool]:
    """The tools that are not installed and that nothing brings."""
    return [tool for tool in plan.tools if tool.fetch is None and find_tool(tool) is None]


def lay_files(files: Mapping[str, bytes | Path | PinnedFile], directory: Path) -> None:
    """Write a plan's own files where its commands will look for them. Raises UsageError for a wrong pinned one."""
    for name, content in files.items():
        place = directory / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path) and content.is_dir():
            _copy_directory(content, place)
        elif isinstance(content, Path):
            shutil.copyfile(content, place)
        else:
            place.write_bytes(content.read() if isinstance(content, PinnedFile) else content)


def fetch_missing(tools: Sequence[Tool], cache: Path, into: Path) -> dict[str, Path]:
    """The programs that this host lacks and that can be had otherwise, each by its name. Raises BuildFailed."""
    missing = [tool for tool in tools if tool.fetch is not None and find_tool(tool) is None]
    return {tool.program: tool.fetch(cache, into) for tool in missing if tool.fetch is not None}


def with_programs(command: Command, programs: Mapping[str, Path]) -> Command:
    """`command`, which starts the program of `programs` where it names one of them."""
    program, *arguments = command.argv
    return replace(command, argv=(str(programs.get(program, program)), *arguments))


def _copy_directory(directory: Path, place: Path) -> None:
    """Its files and links as they are. Raises BuildFailed for what cannot be copied: a socket, an unreadable file."""
    try:
        shutil.copytree(directory, place, symlinks=True)
    except (OSError, shutil.Error) as error:
        found = error.args[0][0][2] if isinstance(error, shutil.Error) else error
        raise BuildFailed(f"copying {directory}", str(found), "Move what is no part of it out of the way.") from error


def find_tool(tool: Tool) -> str | None:
    """Where the program is, or one instead of it, also in directories that an ordinary user's PATH leaves out."""
    path = f"{os.environ.get('PATH', '')}:{DEFAULT_PATH}"
    return next(filter(None, (shutil.which(name, path=path) for name in (tool.program, *tool.instead))), None)


def with_tool_found(command: Command, tools: Sequence[Tool]) -> Command:
    """The command with the program that this host has, where a tool of the plan leaves the choice."""
    program, *arguments = command.argv
    tool = next((each for each in tools if each.program == program and each.instead), None)
    found = find_tool(tool) if tool is not None else None
    return replace(command, argv=(found, *arguments)) if found is not None else command
