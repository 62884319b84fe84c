"""Runs the builds of a matrix side by side, each in a process of its own, spread over the engines that were named."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from time import monotonic
from typing import TYPE_CHECKING, Any

from rootfs_kit.backends import Command
from rootfs_kit.errors import BuildFailed
from rootfs_kit.interrupts import held, interruptible, let_through
from rootfs_kit.matrix.cells import CellBuild, Spelling
from rootfs_kit.matrix.outcome import Outcome
from rootfs_kit.monitor import Monitor
from rootfs_kit.run import start

if TYPE_CHECKING:
    import sh

PATIENCE = 60.0
"""Seconds that builds have to clean up when they are stopped."""


@dataclass(frozen=True)
class How:
    """How builds are run: `jobs` at a time, over `engines` in turn; `distros_dirs` as they were named."""

    jobs: int
    engines: tuple[str, ...]
    distros_dirs: tuple[str, ...] = ()


def run_matrix(builds: Sequence[CellBuild], how: How, monitor: Monitor) -> list[Outcome]:
    """Build all of them, and say what came of each, in their order.

    A build that fails does not stop the others. Raises Interrupted for a signal, when all builds have ended.
    """
    runner = _Runner(list(builds), how, monitor)
    with interruptible(), held():
        try:
            runner.run()
        except BaseException:
            runner.stop()
            raise
    return [runner.outcomes[build.name] for build in builds]


class _Job:
    """One build that is running."""

    def __init__(self, build: CellBuild, engine: str, log: Path) -> None:
        self.build = build
        self.engine = engine
        self.log = log
        self.begun = monotonic()
        self.running: sh.RunningCommand | None = None


class _Runner:
    """Holds the builds that wait and those that run."""

    def __init__(self, builds: list[CellBuild], how: How, monitor: Monitor) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self._waiting = builds[::-1]
        self._how = how
        self._monitor = monitor
        self._ended: Queue[_Job] = Queue()
        self._jobs: list[_Job] = []

    def run(self) -> None:
        total = len(self._waiting)
        engines = self._how.engines
        free = [engines[place % len(engines)] for place in range(self._how.jobs)][::-1]
        while self._waiting or self._jobs:
            while self._waiting and free:
                self._start(self._waiting.pop(), free.pop())
            with let_through():
                job = self._ended.get()
            self._jobs.remove(job)
            free.append(job.engine)
            self._note(_outcome(job), total)

    def stop(self) -> None:
        """Ask all builds to end, and wait until they have cleaned up behind themselves."""
        for job in self._jobs:
            if job.running is not None:
                job.running.signal(signal.SIGTERM)
        until = monotonic() + PATIENCE
        for job in self._jobs:
            if job.running is not None:
                _wait(job.running, max(until - monotonic(), 0.1))

    def _start(self, build: CellBuild, engine: str) -> None:
        build.rootfs_dir.parent.mkdir(parents=True, exist_ok=True)
        job = _Job(build, engine, build.rootfs_dir.parent / f"{build.name}.log")
        config, place = build.config, str(build.rootfs_dir)
        asked = build.arguments(Spelling(str(config), place, config.parent.resolve(), self._how.distros_dirs, engine))
        how = ("--log", str(job.log), "--json", "--quiet")
        command = Command((sys.executable, "-m", "rootfs_kit", *asked, *how), is_client=True)
        self._monitor.note(f"{build.name}: begun ({engine})")
        self._jobs.append(job)
        job.running = start(command, _done=lambda *_: self._ended.put(job))

    def _note(self, outcome: Outcome, total: int) -> None:
        self.outcomes[outcome.name] = outcome
        count = f"{len(self.outcomes)} of {total}"
        self._monitor.note(f"{outcome.name}: {outcome.word} after {outcome.seconds:.0f} s ({count})")


def require_writable(builds: Sequence[CellBuild]) -> None:
    """Raise BuildFailed where the directory for the results cannot be made."""
    for place in {build.rootfs_dir.parent for build in builds}:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or str(error)
            raise BuildFailed(f"making {place}", reason, "Name another directory: rootfs-dir = … .") from error


def _outcome(job: _Job) -> Outcome:
    assert job.running is not None, "a build that ended was started"
    status, out, err = _end_of(job.running)
    complaint = err.strip().removeprefix("rootfs-kit: ")
    return Outcome(
        job.build.name, job.engine, status, monotonic() - job.begun, _document(out), complaint, job.log
    )  # fmt: skip


def _end_of(running: sh.RunningCommand) -> tuple[int, bytes, str]:
    import sh

    try:
        running.wait()
    except sh.SignalException as ended:
        return 128 - int(ended.exit_code), b"", f"it was ended by a signal ({-int(ended.exit_code)})"
    return int(running.exit_code), bytes(running.stdout), bytes(running.stderr).decode(errors="replace")


def _document(out: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(out)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _wait(running: sh.RunningCommand, seconds: float) -> None:
    import sh

    try:
        running.wait(timeout=seconds)
    except sh.TimeoutException:
        running.signal_group(signal.SIGKILL)
    except sh.SignalException:
        return
