"""Real builds, stopped at random moments: the target is the old tree or the new one, and nothing else is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from tests.build.builds import Mirror, differences, left_behind, look, processes_that_name

pytestmark = pytest.mark.slow

MOMENTS = 20
SEED = 20260131
EPOCH = "1700000000"
KINDS = {"plain": (), "with strace": ("--extra-pkgs", "strace")}
Look = dict[str, tuple[object, ...]]


@pytest.fixture(scope="module")
def duration(mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds that one build takes here, at the moment."""
    place = tmp_path_factory.mktemp("measured")
    begun = time.monotonic()
    assert mirror.build(place / "rootfs", "-q").status == 0
    return time.monotonic() - begun


@pytest.fixture(scope="module")
def looks(mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Look]:
    """How the two kinds of tree look when their builds are left alone."""
    place = tmp_path_factory.mktemp("whole")
    for kind, options in KINDS.items():
        assert mirror.build(place / kind, "-q", *options, SOURCE_DATE_EPOCH=EPOCH).status == 0
    return {kind: look(place / kind) for kind in KINDS}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_build_that_is_stopped_leaves_the_old_tree_or_the_new_one(
    mirror: Mirror, looks: dict[str, Look], tmp_path: Path, number: signal.Signals
) -> None:
    target = tmp_path / "place" / "rootfs"
    target.parent.mkdir()
    moments = random.Random(f"{SEED} {number.name}")
    duration = _rebuild(mirror, target, looks, "plain")
    stopped = 0
    for moment in range(MOMENTS):
        kind = "plain" if moment % 2 else "with strace"
        stopped += _stop_after(moments.uniform(0, duration), number, mirror, target, kind)
        assert _standing(target, looks) in KINDS
        _require_nothing_left(target, staging_may_stay=number is signal.SIGKILL)
        duration = _rebuild(mirror, target, looks, kind)
        assert left_behind(target) == []
    assert stopped >= MOMENTS // 4


def _rebuild(mirror: Mirror, target: Path, looks: dict[str, Look], kind: str) -> float:
    """Build to the end, as whoever was interrupted does next; the seconds that it took."""
    begun = time.monotonic()
    done = mirror.build(target, "-q", *KINDS[kind], SOURCE_DATE_EPOCH=EPOCH)
    assert (done.status, done.err) == (0, "")
    duration = time.monotonic() - begun
    assert _standing(target, looks) == kind
    return duration


def _stop_after(seconds: float, number: signal.Signals, mirror: Mirror, target: Path, kind: str) -> bool:
    """Whether the signal came before the build's end."""
    with mirror.start(target, "-q", *KINDS[kind], SOURCE_DATE_EPOCH=EPOCH) as process:
        time.sleep(seconds)
        was_running = process.poll() is None
        if was_running:
            # Ctrl-C reaches the terminal's whole foreground group; kill(1) one process.
            (os.killpg if number is signal.SIGINT else os.kill)(process.pid, number)
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode in {0, -number, 128 + number}
    return was_running and process.returncode != 0


def _standing(target: Path, looks: dict[str, Look]) -> str:
    """Which of the two trees is at the target, whole; else where it differs from them."""
    seen = look(target)
    wrong = {kind: differences(seen, whole) for kind, whole in looks.items()}
    return next((kind for kind, paths in wrong.items() if not paths), f"neither: {wrong}")


def _require_nothing_left(target: Path, staging_may_stay: bool) -> None:
    """No process, no mount that any process sees, no lock that is held, and nothing beside the target."""
    until = time.monotonic() + 10
    while (alive := processes_that_name(str(target)) + _mounts_that_name(target)) and time.monotonic() < until:
        time.sleep(0.05)
    assert alive == []
    for lock in target.parent.glob(".*.rootfs-kit/lock"):
        try:
            with FileLock(lock).acquire(timeout=0):
                pass
        except Timeout:
            pytest.fail(f"{lock} is held")
    assert left_behind(target) in ([], [f".{target.name}.rootfs-kit"] if staging_may_stay else [])


def _mounts_that_name(target: Path) -> list[str]:
    """In every mount namespace of this host; a process that is left in one keeps its mounts."""
    found = set()
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            found.update(line for line in mounts.read_text().splitlines() if f".{target.name}.rootfs-kit" in line)
        except OSError:
            continue
    return [line for line in sorted(found) if str(target.parent) in line]


def test_a_second_signal_does_not_cut_the_clean_up_short(mirror: Mirror, duration: float, tmp_path: Path) -> None:
    target = tmp_path / "rootfs"
    with mirror.start(target) as process:
        time.sleep(duration / 2)
        for _ in range(5):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.01)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "rootfs-kit: stopped by SIGINT"
    assert os.listdir(tmp_path) == []
    _require_nothing_left(target, staging_may_stay=False)


def test_programs_end_with_the_build_even_if_nobody_can_tell_them(mirror: Mirror, tmp_path: Path) -> None:
    """kill -9 while the package manager is at work: the kernel ends it."""
    target = tmp_path / "rootfs"
    with mirror.start(target) as process:
        _wait_for(lambda: any("mmdebstrap" in line for line in processes_that_name(f"{target.name}.rootfs-kit")))
        process.kill()
        process.communicate(timeout=60)
    _require_nothing_left(target, staging_may_stay=True)
    assert not target.exists()


def _wait_for(condition, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "the package manager was never started"
        time.sleep(0.02)


def test_a_terminal_that_is_closed_stops_the_build_tidily(mirror: Mirror, duration: float, tmp_path: Path) -> None:
    target = tmp_path / "rootfs"
    with mirror.start(target) as process:
        time.sleep(duration / 2)
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        process.stderr.close()
        process.wait(timeout=60)
    assert process.returncode == 129
    assert os.listdir(tmp_path) == []


def test_no_temporary_file_of_a_build_that_was_stopped_is_left(mirror: Mirror, duration: float, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with mirror.start(tmp_path / "rootfs", TMPDIR=str(temporary)) as process:
        time.sleep(duration / 2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 143
    assert os.listdir(temporary) == []


def test_an_overlay_that_is_stopped_leaves_the_tree_that_was_there(mirror: Mirror, tmp_path: Path) -> None:
    target = tmp_path / "rootfs"
    assert mirror.build(target, "-q").status == 0
    before = look(target)
    command = mirror.arguments(target)
    overlay = [*command[:3], "overlay", "--agent", "probe", "-r", str(target)]
    moments = random.Random(SEED)
    for _ in range(MOMENTS // 4):
        with subprocess.Popen(overlay, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            time.sleep(moments.uniform(0.1, 0.5))
            process.terminate()
            process.wait(timeout=60)
        if process.returncode == 0:
            continue
        assert differences(before, look(target)) == []
        assert left_behind(target) == []
