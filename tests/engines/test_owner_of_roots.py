"""What root builds and gives to root stays as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_kit.errors import UsageError
from rootfs_kit.host.ownership import owner_asked_for
from rootfs_kit.request import STANDARD_OUTPUT, BuildRequest, Format
from tests.build.builds import differences, look
from tests.support.agents import stand_in_agent
from tests.support.requirements import needs_root
from tests.support.surroundings import clean_environment

pytestmark = needs_root()


def overlay(target: Path, *more: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rootfs_kit", "overlay", "-q", "--agent-bin", str(stand_in_agent()), "-r", str(target),
         *more],
        cwd=target.parent, env={**clean_environment(), "SOURCE_DATE_EPOCH": "86400"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["root", "0"])
def test_to_give_it_to_root_changes_nothing(tmp_path: Path, name: str) -> None:
    overlay(tmp_path / "roots")
    overlay(tmp_path / "given", "--owner", name)
    assert differences(look(tmp_path / "roots", times=False), look(tmp_path / "given", times=False)) == []
    overlay(tmp_path / "given.tar", "--owner", name, "--format", "tar")
    assert (tmp_path / "given.tar").stat().st_uid == os.getuid() == 0


def test_standard_output_is_nobodys_to_give(tmp_path: Path) -> None:
    request = BuildRequest(STANDARD_OUTPUT, format=Format.TAR, owner="root")
    with pytest.raises(UsageError, match="standard output has an owner already"):
        owner_asked_for(request)
