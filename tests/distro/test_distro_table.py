"""docs/distros.md is written from distros/ and never by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_kit.distro import Distro
from rootfs_kit.distro.search import find_distro
from rootfs_kit.distro.table import built_in, markdown
from tests.support.surroundings import PROJECT, clean_environment


def row_of(name: str) -> list[str]:
    [row] = [line for line in markdown(built_in()).splitlines() if f"`{name}`" in line and line.startswith("| ")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_page_is_up_to_date() -> None:
    written = (PROJECT / "docs/distros.md").read_text()
    assert written == markdown(built_in()), "run: python -m rootfs_kit.distro.table docs/distros.md"


def test_every_directory_of_distros_has_a_row() -> None:
    described = sorted(path.parent.name for path in (PROJECT / "distros").glob("*/distro.toml"))
    assert [distro.name for distro in built_in()] == described
    for name in described:
        assert len(row_of(name)) == 6


def test_a_row_tells_what_the_description_does() -> None:
    _, releases, init, architectures, backend, _ = row_of("debian")
    assert "**trixie (13)** [2030-06-30]" in releases
    assert "bookworm (12) [2028-06-30], not for riscv64" in releases
    assert init == "systemd<br>agent"
    assert architectures.split() == list(find_distro("debian").architectures)
    assert backend == "mmdebstrap"


@pytest.mark.parametrize("distro", built_in(), ids=lambda distro: distro.name)
def test_each_says_how_it_is_tested(distro: Distro) -> None:
    assert distro.tested


def test_the_command_writes_it(tmp_path: Path) -> None:
    target = tmp_path / "distros.md"
    command = [sys.executable, "-m", "rootfs_kit.distro.table"]
    subprocess.run([*command, str(target)], env=clean_environment(), check=True)
    assert target.read_text() == markdown(built_in())
    assert subprocess.run(command, env=clean_environment(), capture_output=True, check=False).returncode == 2
