"""Findings at a terminal: text goes on under where it began, and nothing that is copied is broken."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_kit.suite.rendering import fitted
from tests.suite.conftest import environment

BOOT = "    at boot   the guest's clock drifts away from its host's: certificates expire at the wrong time"
PATH = "  /etc/systemd/system/basic.target.wants/kata-containers.target"
TIME = re.compile(r"\d+\.\d\s+s:")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def test_a_text_goes_on_under_where_it_began() -> None:
    lines = fitted(BOOT, 50)
    assert lines[0].startswith("    at boot   the guest's") and len(lines) == 3
    assert all(line.startswith(" " * 14) and line[14] != " " for line in lines[1:])
    assert all(len(line) <= 50 for line in lines)
    assert " ".join(line.strip() for line in lines) == BOOT.strip()


@pytest.mark.parametrize("width", [10, 40, 200])
def test_a_path_stays_whole(width: int) -> None:
    assert fitted(PATH, width) == [PATH]
    mend = fitted("    mend      link /a to /etc/systemd/system/basic.target.wants/kata", width)
    assert any(line.split()[-1] == "/etc/systemd/system/basic.target.wants/kata" for line in mend)


def test_what_fits_stays_as_it_is() -> None:
    assert fitted(BOOT, 200) == [BOOT]
    assert fitted("", 40) == [""]
    assert fitted("119 checks in 0.3 s: 68 passed", 20) == ["119 checks in 0.3", "  s: 68 passed"]


def test_only_a_terminal_has_a_width(site: Path, rootfs_dir: Path) -> None:
    command = [sys.executable, "-m", "rootfs_kit", "check", str(rootfs_dir)]
    env = environment(site, COLUMNS="50", TERM="xterm")
    piped = subprocess.run(command, env=env, capture_output=True, text=True, check=False).stdout
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=env, stdout=theirs):
        os.close(theirs)
        shown = ANSI.sub("", _all_of(ours)).replace("\r\n", "\n")
    assert max(map(len, piped.splitlines())) > 100
    texts = [line for line in shown.splitlines() if re.match(" +(found|expected|at boot|mend) +", line)]
    assert texts and all(len(line) <= 50 or " " not in line[14:] for line in texts)
    assert TIME.sub("", shown).split() == TIME.sub("", piped).split()


def _all_of(terminal: int) -> str:
    content = b""
    while True:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # EIO: the other end was closed (pty(7))
            return content.decode()
        if not piece:
            return content.decode()
        content += piece
