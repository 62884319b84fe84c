"""Which engine a build runs in, and why that one."""

from __future__ import annotations

from dataclasses import dataclass

from rootfs_kit import host
from rootfs_kit.backends import Plan
from rootfs_kit.distro import Distro
from rootfs_kit.engines import Engine
from rootfs_kit.engines.host import HostEngine, find_tool, missing_tools
from rootfs_kit.engines.userns import UsernsEngine
from rootfs_kit.errors import HostLacks
from rootfs_kit.request import AUTO_ENGINE, BuildRequest


@dataclass(frozen=True)
class Choice:
    """An engine, and the reason that `show` and `doctor` give for it."""

    engine: Engine
    reason: str


def choose_engine(request: BuildRequest, distro: Distro, plan: Plan) -> Choice:
    """The engine that was asked for; with "auto", the one that can do `plan` here and now.

    Whether it really can is for `require_ready` to say. Raises HostLacks where there is none, and UsageError for a
    container engine without an image.
    """
    if request.engine != AUTO_ENGINE:
        return Choice(_engine_called(request.engine, request, distro), "it was asked for")
    missing = missing_tools(plan)
    if missing:
        return _with_containers(request, distro, plan)
    tools = _tools_at_hand(plan)
    if host.is_root():
        return Choice(HostEngine(), f"{tools}, and this is root")
    return Choice(UsernsEngine(), f"{tools}, and {host.user_name()} is not root")


def _tools_at_hand(plan: Plan) -> str:
    fetched = [tool.program for tool in plan.tools if find_tool(tool) is None]
    if fetched:
        return f"{', '.join(fetched)} can be fetched"
    return f"{', '.join(tool.program for tool in plan.tools)} is installed"


def _with_containers(request: BuildRequest, distro: Distro, plan: Plan) -> Choice:
    """The container engine that answers, for a host that lacks the tools."""
    missing = missing_tools(plan)
    names = ", ".join(tool.program for tool in missing)
    answering, found = host.answering_engine()
    if answering is None:
        raise HostLacks(
            "choosing where to build",
            f"not installed: {names}; and no container engine answers ({found})",
            host.install_command(missing),
        )
    return Choice(_engine_called(answering, request, distro), f"{names} is not installed, and {found}")


def _engine_called(name: str, request: BuildRequest, distro: Distro) -> Engine:
    if name == HostEngine.name:
        return HostEngine()
    if name == UsernsEngine.name:
        return UsernsEngine()
    from rootfs_kit.engines.container.client import client_at
    from rootfs_kit.engines.container.engine import ContainerEngine
    from rootfs_kit.engines.container.image import recipe

    made_from = None if request.builder_image else recipe(distro, request, request.image_registry)
    return ContainerEngine(client_at(name), made_from, request.builder_image, request.container_runtime)
