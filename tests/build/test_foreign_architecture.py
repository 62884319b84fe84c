"""A guest of another architecture than this host's: Debian's own packages, configured by way of qemu-user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.elf import read_elf
from tests.build.builds import manifest
from tests.support.real_guests import debian_guest
from tests.support.surroundings import clean_environment

FOREIGN, DEBIANS_NAME = ("x86_64", "amd64") if os.uname().machine == "aarch64" else ("aarch64", "arm64")


GUESTS = [(release, agent_init) for release in ("bookworm", "trixie") for agent_init in (False, True)]


@pytest.fixture(
    scope="module", params=GUESTS, ids=lambda guest: f"{guest[0]}-{'agent-init' if guest[1] else 'systemd'}"
)
def guest(request: pytest.FixtureRequest) -> Path:
    release, agent_init = request.param
    return debian_guest(release, agent_init, FOREIGN)


@pytest.mark.slow
@pytest.mark.network
def test_a_foreign_guest_passes_its_checks(guest: Path) -> None:
    """It did so before it was published, too; the verdict is the same for whoever asks."""
    judged = subprocess.run(
        [sys.executable, "-m", "rootfs_kit", "check", str(guest)],
        env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.mark.slow
@pytest.mark.network
def test_its_packages_and_programs_are_the_foreign_ones(guest: Path) -> None:
    installed = manifest(guest)["packages"]["installed"]
    assert {package["architecture"] for package in installed} <= {DEBIANS_NAME, "all"}
    assert DEBIANS_NAME in {package["architecture"] for package in installed}
    tree = open_rootfs(guest)
    for program in ("/sbin/init", "/bin/sh", "/usr/sbin/chronyd"):
        assert read_elf(tree, program).machine == FOREIGN, program


@pytest.mark.slow
@pytest.mark.network
def test_no_emulator_is_left_in_it(guest: Path) -> None:
    assert [path for path in guest.rglob("*qemu*") if path.is_file()] == []
