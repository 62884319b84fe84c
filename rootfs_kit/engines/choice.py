"""Which engine a build runs in, and why that one."""

from __future__ import annotations

from dataclasses import dataclass

from rootfs_kit.backends import Plan
from rootfs_kit.engines import Engine
from rootfs_kit.engines.host import HostEngine, missing_tools
from rootfs_kit.engines.userns import UsernsEngine
from rootfs_kit.errors import HostLacks
from rootfs_kit.host import install_command, is_root, user_name
from rootfs_kit.request import AUTO_ENGINE


@dataclass(frozen=True)
class Choice:
    """An engine, and the reason that `show` and `doctor` give for it."""

    engine: Engine
    reason: str


def choose_engine(asked: str, plan: Plan) -> Choice:
    """The engine that was asked for; with "auto", the one that can do `plan` here and now.

    Whether it really can is for `require_ready` to say. Raises HostLacks where there is none.
    """
    if asked != AUTO_ENGINE:
        return Choice(_engine_called(asked), "it was asked for")
    missing = missing_tools(plan)
    if missing:
        names = ", ".join(tool.program for tool in missing)
        raise HostLacks("choosing where to build", f"not installed: {names}", install_command(missing))
    tools = ", ".join(tool.program for tool in plan.tools)
    if is_root():
        return Choice(HostEngine(), f"{tools} is installed, and this is root")
    return Choice(UsernsEngine(), f"{tools} is installed, and {user_name()} is not root")


def _engine_called(name: str) -> Engine:
    engines: dict[str, type[Engine]] = {"host": HostEngine, "userns": UsernsEngine}
    if name not in engines:
        raise HostLacks("choosing where to build", f"there is no engine {name}", f"There are: {', '.join(engines)}.")
    return engines[name]()
