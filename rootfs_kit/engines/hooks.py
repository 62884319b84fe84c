"""What a plan wants done on the host around the container that its commands run in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from rootfs_kit.backends import Command, Plan
from rootfs_kit.engines import Workbench
from rootfs_kit.errors import BuildFailed
from rootfs_kit.host import ENGINES
from rootfs_kit.run import run


@contextmanager
def container_hooks(engine: str, plan: Plan, bench: Workbench) -> Iterator[None]:
    """Run the plan's commands for the host before and after the body, if `engine` works in a container at all.

    Those for afterwards run also where the body fails, and where those before it fail. Raises BuildFailed.
    """
    engine = engine.partition(":")[0]
    if engine not in ENGINES:
        yield
        return
    try:
        _run(plan.before_container, engine, bench)
        yield
    except BaseException:
        try:
            _run(plan.after_container, engine, bench)
        except BuildFailed as error:
            bench.monitor.warn(*str(error).split("\n"))
        raise
    _run(plan.after_container, engine, bench)


def _run(commands: Iterable[Command], engine: str, bench: Workbench) -> None:
    for command in commands:
        told = {**command.environment, "container_engine": engine}
        run(replace(command, environment=told), bench.monitor, bench.log)
