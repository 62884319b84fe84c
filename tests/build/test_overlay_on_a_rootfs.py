"""An overlay laid into a rootfs that somebody else made is judged by what it changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.agents import stand_in_agent
from tests.support.config_scripts import Outcome, made_tree
from tests.support.requirements import needs_program, needs_root
from tests.support.surroundings import clean_environment

pytestmark = [needs_root(), needs_program("cc", "depmod")]


def overlay(rootfs: Path, *more: str) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-m", "rootfs_kit", "overlay", "-r", str(rootfs), "--agent-bin", str(stand_in_agent()), *more],
        cwd=rootfs.parent, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """A bootable system without anything of Kata's, whose root keeps its home to itself as everywhere."""
    root = made_tree(tmp_path / "rootfs")
    (root / "root").mkdir(exist_ok=True)
    (root / "root").chmod(0o700)
    return root


def test_a_full_rootfs_is_furnished_and_judged_as_one(rootfs: Path) -> None:
    done = overlay(rootfs, "--json")
    assert done.status == 0, done.err
    assert (rootfs / "usr/bin/kata-agent").is_file() and (rootfs / "root").stat().st_mode & 0o777 == 0o700
    document = json.loads(done.out)
    assert document["checks"]["passed"] > 60


def test_what_was_wrong_before_is_told_and_stands_in_nobodys_way(rootfs: Path) -> None:
    (rootfs / "usr/lib/nothing").symlink_to("gone")
    (rootfs / "etc/shadow").write_text("root:$y$j9T$secret:20000::::::\n")
    os.chmod(rootfs, 0o700)
    done = overlay(rootfs)
    assert done.status == 0, done.err
    assert "did not pass before anything was laid into it" in done.err


def test_what_the_overlay_itself_breaks_is_refused(rootfs: Path, tmp_path: Path) -> None:
    broken = tmp_path / "more"
    (broken / "usr/lib/systemd").mkdir(parents=True)
    (broken / "usr/lib/systemd/systemd").write_text("no program\n")
    done = overlay(rootfs, "--overlay-dir", str(broken))
    assert done.status == 1
    assert "INI-02" in done.err or "INI-05" in done.err
    assert not (rootfs / "usr/bin/kata-agent").exists()
