"""Real pytest runs, in processes of their own, with rootfs-kit installed the way that a wheel installs it."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
# pytest writes its summary wider under CI (_pytest/compat.py, running_on_ci).
OF_THIS_RUN = ("PYTEST", "PYTHON", "GITHUB", "CI", "BUILD_NUMBER")
NO_CACHES = shutil.ignore_patterns("__pycache__")


# The least that the kernel starts: a header, and one segment that maps the file (elf(5)).
PROGRAM = b"\x7fELF\2\1\1" + bytes(9) + struct.pack(
    "<HHIQQQIHHHHHHIIQQQQQQ",
    2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 64, 0, 0, 1, 5, 0, 0x400000, 0x400000, 120, 120, 4096,
)  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a process ended, and all that it wrote."""

    status: int
    text: str

    def lines_with(self, part: str) -> list[str]:
        return [line for line in self.text.splitlines() if part in line]


Pytest = Callable[..., Ended]


def install_as_a_wheel_does(site: Path) -> Path:
    """Put the packages of pyproject.toml, and the entry points, where pip would put those of a wheel."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    for package, directory in project["tool"]["setuptools"]["package-dir"].items():
        shutil.copytree(CHECKOUT / directory, site / package.replace(".", "/"), ignore=NO_CACHES)
    write_metadata(site, project)
    return site


def write_metadata(site: Path, project: dict) -> None:
    metadata = site / "rootfs_kit-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: rootfs-kit\nVersion: 0\n")
    entries = project["project"]["entry-points"]["pytest11"]
    (metadata / "entry_points.txt").write_text("[pytest11]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()))


def environment(*paths: Path, **variables: str) -> dict[str, str]:
    """Nothing of this run's own pytest or of the CI around it, and the installation in front of everything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THIS_RUN)}
    return kept | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "COLUMNS": "120", **variables}


def run_pytest(*arguments: str, cwd: Path, env: dict[str, str]) -> Ended:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return Ended(done.returncode, done.stdout)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation like a wheel's."""
    return install_as_a_wheel_does(tmp_path_factory.mktemp("installed") / "site")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """An empty directory to run pytest in."""
    place = tmp_path / "here"
    place.mkdir()
    return place


@pytest.fixture
def run(site: Path, here: Path) -> Pytest:
    """Run pytest in `here`; variables of the environment as keywords."""

    def start(*arguments: str, cwd: Path | None = None, **variables: str) -> Ended:
        return run_pytest(*arguments, cwd=cwd or here, env=environment(site, **variables))

    return start


@pytest.fixture
def rootfs_dir(tmp_path: Path) -> Path:
    """A small full rootfs that is good enough for the checks of /sbin/init and breaks others."""
    root = tmp_path / "rootfs"
    for directory in ("etc", "usr/bin", "usr/sbin", "usr/lib/systemd", "proc", "sys", "dev", "run", "var"):
        (root / directory).mkdir(parents=True)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    for name in ("bin", "sbin", "lib"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "etc/os-release").write_text("ID=made\n")
    for name, content in (("usr/lib/systemd/systemd", PROGRAM + b"systemd.show_status\0"), ("usr/bin/sh", PROGRAM)):
        (root / name).write_bytes(content)
        (root / name).chmod(0o755)
    (root / "usr/sbin/init").symlink_to("/lib/systemd/systemd")
    return root
