"""An ordinary user's builds, stopped at random moments: nothing is left that the next build does not clear."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.build.builds import differences, left_behind, look, processes_that_name
from tests.engines.guests import EPOCH, Guests

pytestmark = [pytest.mark.slow, pytest.mark.network]

MOMENTS = 20
SEED = 20260207
Look = dict[str, tuple[object, ...]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_users_build_that_is_stopped_leaves_a_whole_tree_and_nothing_else(
    guests: Guests, number: signal.Signals
) -> None:
    target = guests.user.home / f"stopped-by-{number.name}" / "rootfs"
    duration, whole = _build(guests, target)
    moments = random.Random(f"{SEED} {number.name}")
    stopped = sum(_stop_after(moments.uniform(0.1, duration), number, guests, target, whole) for _ in range(MOMENTS))
    assert stopped >= MOMENTS // 4
    _build(guests, target)
    assert left_behind(target) == []
    assert guests.user.run("rm", str(target)).status == 0


def _build(guests: Guests, target: Path) -> tuple[float, Look]:
    """Build to the end: the seconds that it took, and how the tree looks."""
    begun = time.monotonic()
    done = guests.by_user(target, SOURCE_DATE_EPOCH=EPOCH)
    assert done.status == 0, done.err
    return time.monotonic() - begun, look(target)


def _stop_after(seconds: float, number: signal.Signals, guests: Guests, target: Path, whole: Look) -> bool:
    """Whether the signal came before the build's end; what it leaves is looked at."""
    command = guests.user.as_user(guests.user.program, *guests.arguments(target))
    with guests.user.start(command, SOURCE_DATE_EPOCH=EPOCH) as process:
        time.sleep(seconds)
        (os.killpg if number is signal.SIGINT else os.kill)(process.pid, number)
        _, errors = process.communicate(timeout=60)
    assert b"Traceback" not in errors
    assert process.returncode in {0, -number, 128 + number}, errors
    assert differences(look(target), whole) == []
    _require_nothing_alive(target)
    staging = [f".{target.name}.rootfs-kit"]
    assert left_behind(target) in ([], staging if number is signal.SIGKILL else [])
    return process.returncode != 0


def _require_nothing_alive(target: Path) -> None:
    """No process that names the target, and no mount of its staging in any namespace."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        alive = processes_that_name(str(target)) + _mounts_below(target.parent)
        if not alive:
            return
        time.sleep(0.05)
    pytest.fail(f"still there: {alive}")


def _mounts_below(place: Path) -> list[str]:
    found = set()
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            found.update(line for line in mounts.read_text().splitlines() if str(place) in line)
        except OSError:
            continue
    return sorted(found)
