"""Nothing of a rootfs is executed, loaded or imported by whoever judges it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.suite.conftest import environment
from tests.support import trees
from tests.support.requirements import needs_program
from tests.support.trees import fingerprint

pytestmark = needs_program("cc", "depmod")

PROGRAMS = (
    "usr/bin/dpkg", "usr/bin/dpkg-query", "usr/bin/rpm", "sbin/apk", "usr/bin/pacman", "usr/bin/ldd", "usr/bin/file",
    "usr/bin/readelf", "usr/sbin/ldconfig", "usr/sbin/modinfo", "usr/sbin/depmod", "usr/bin/systemctl",
    "usr/bin/systemd-analyze", "usr/bin/python3", "usr/bin/env", "usr/bin/sh", "usr/bin/bash", "usr/bin/chronyd",
)  # fmt: skip


@pytest.fixture
def armed(tmp_path: Path) -> tuple[Path, Path]:
    """A guest in which every program leaves a mark when it runs, and the mark."""
    guest, mark = trees.systemd_guest(tmp_path / "guest"), tmp_path / "it-ran"
    script = f"#!/bin/sh\necho $0 >> {mark}\n"
    present = [str(path.relative_to(guest)) for path in guest.rglob("bin/*") if path.is_file()]
    for program in {*PROGRAMS, *present}:
        place = guest / program
        place.unlink(missing_ok=True)
        trees.write(guest, program, script, 0o755)
    for module in ("sitecustomize", "usercustomize", "rootfs_kit", "pytest", "yaml", "conftest"):
        trees.write(guest, f"{module}.py", f"open({str(mark)!r}, 'w')\n")
    return guest, mark


@pytest.mark.parametrize("inside", [False, True], ids=["from outside", "from inside the rootfs"])
@pytest.mark.parametrize("command", [("check",), ("expect",)], ids=" ".join)
def test_command_runs_nothing_and_writes_nothing(
    armed: tuple[Path, Path], tmp_path: Path, command: tuple[str, ...], inside: bool
) -> None:
    guest, mark = armed
    before = fingerprint(guest)
    program = Path(sys.executable).with_name("rootfs-kit")
    if not program.exists():
        pytest.skip("needs the command rootfs-kit beside this interpreter")
    path = os.pathsep.join([f"{guest}/usr/bin", f"{guest}/sbin", os.environ["PATH"]])
    done = subprocess.run(
        [str(program), *command, str(guest)],
        cwd=guest if inside else tmp_path, env={"PATH": path}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1, 2) and "Traceback" not in done.stderr, done.stderr
    assert not mark.exists(), mark.read_text()
    assert fingerprint(guest) == before


def test_pytest_runs_nothing_and_writes_nothing(armed: tuple[Path, Path], tmp_path: Path, site: Path) -> None:
    guest, mark = armed
    before = fingerprint(guest)
    path = os.pathsep.join([f"{guest}/usr/bin", f"{guest}/sbin", os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--rootfs={guest}"],
        cwd=tmp_path, env=environment(site, PATH=path), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert not mark.exists(), mark.read_text()
    assert fingerprint(guest) == before
