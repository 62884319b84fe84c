"""The builds of a matrix, really run side by side."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.build.builds import Mirror, left_behind
from tests.support.agents import stand_in_agent
from tests.support.surroundings import clean_environment

pytestmark = pytest.mark.slow
SECONDS = 300


def description(mirror: Mirror, directory: Path, matrix: str) -> Path:
    file = directory / "build.toml"
    file.write_text(
        f'distro = "debian"\ndistros-dir = ["{mirror.distros}"]\nmirror = "{mirror.url}"\n'
        f'agent-bin = "{stand_in_agent()}"\nrootfs-dir = "out"\n\n[matrix]\n{matrix}'
    )
    return file


def start(file: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rootfs_kit", "matrix", str(file), *more],
        cwd=file.parent, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def run(file: Path, *more: str) -> tuple[int, str, str]:
    with start(file, *more) as process:
        try:
            out, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    return process.returncode, out, err


def test_all_are_built_and_one_table_says_so(mirror: Mirror, tmp_path: Path) -> None:
    file = description(mirror, tmp_path, "agent-init = [false, true]\n")
    status, out, err = run(file, "-j", "2")
    assert status == 0, err
    assert sorted(os.listdir(tmp_path / "out")) == ["agent-init", "agent-init.log", "systemd", "systemd.log"]
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "done" in lines["systemd"]
    assert "done" in lines["agent-init"]
    assert "0 warned" in lines["systemd"]
    assert "systemd: begun (auto)" in err
    assert (tmp_path / "out/agent-init/usr/sbin/init").is_file()


def test_one_that_fails_does_not_stop_the_others(mirror: Mirror, tmp_path: Path) -> None:
    file = description(mirror, tmp_path, 'extra-pkgs = ["strace", "no-such-package"]\n')
    status, out, err = run(file, "-j", "2", "--format", "json")
    assert status == 3, err
    builds = {build["name"]: build for build in json.loads(out)["builds"]}
    assert builds["strace"]["result"] == "done"
    assert builds["strace"]["build"]["checks"]["failed"] == 0
    assert builds["no-such-package"]["result"] == "failed"
    assert "no-such-package" in builds["no-such-package"]["complaint"]
    assert Path(builds["no-such-package"]["log"]).is_file()
    assert (tmp_path / "out/strace/usr/bin/kata-agent").is_file()
    assert not (tmp_path / "out/no-such-package").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_stopped_it_stops_them_all(mirror: Mirror, tmp_path: Path, number: signal.Signals) -> None:
    file = description(mirror, tmp_path, "agent-init = [false, true]\n")
    with start(file, "-j", "2") as process:
        try:
            until = time.monotonic() + 60
            while len(list((tmp_path / "out").glob(".*.rootfs-kit"))) < 2 and time.monotonic() < until:
                time.sleep(0.05)
            process.send_signal(number)
            _, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert process.returncode == 128 + number, err
    assert f"stopped by {number.name}" in err
    for name in ("systemd", "agent-init"):
        assert not (tmp_path / "out" / name).exists()
        assert left_behind(tmp_path / "out" / name) == []
