"""The mirrors in miniature, each made once for all tests, and served together."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rootfs_kit.distro.search import find_distro
from tests.rpm_builds.mirrors import FOREIGN, RpmMirror
from tests.support.debian_archive import served
from tests.support.rpm_repository import FLAVOURS, NEEDED_TOOLS, Flavour, Key, describe_distros, make_key, make_mirror

DISTROS = ("fedora", "centos", "azurelinux", "opensuse")


@dataclass(frozen=True)
class World:
    """Where everything is: `root` is served at `url`."""

    root: Path
    url: str
    key: Key
    distros: Path


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    missing = [tool for tool in (*NEEDED_TOOLS, "dnf", "zypper") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} on PATH")
    made = tmp_path_factory.mktemp("rpm")
    key = make_key(made / "gpg", "rootfs-kit tests")
    (made / "mirrors").mkdir()
    with served(made / "mirrors") as url:
        yield World(made / "mirrors", url, key, describe_distros(made / "distros", key, *DISTROS))


@pytest.fixture(scope="session")
def mirror_of(world: World, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], RpmMirror]:
    """The mirror of a release, made when it is first asked for. Not to be changed: there is `copy()` for that."""
    made: dict[tuple[str, str], RpmMirror] = {}

    def get(distro: str, version: str) -> RpmMirror:
        flavour = next(each for each in FLAVOURS if (each.distro, each.version) == (distro, version))
        if (distro, version) not in made:
            made[distro, version] = _make(world, flavour, tmp_path_factory.mktemp("packages"))
        return made[distro, version]

    return get


@pytest.fixture(scope="session")
def foreign_mirror_of(world: World, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], RpmMirror]:
    """The same with packages for FOREIGN, made anew each time."""

    def get(distro: str, version: str) -> RpmMirror:
        flavour = next(each for each in FLAVOURS if (each.distro, each.version) == (distro, version))
        return _make(world, flavour, tmp_path_factory.mktemp("packages"), FOREIGN)

    return get


def _make(world: World, flavour: Flavour, workshop: Path, machine: str = os.uname().machine) -> RpmMirror:
    name = f"{flavour.distro}-{flavour.version}-{machine}"
    description = find_distro(flavour.distro, [world.distros])
    repositories = make_mirror(world.root / name, description, flavour, world.key, workshop, machine)
    return RpmMirror(
        None, f"{world.url}/{name}", world.distros, flavour.distro, flavour.version, world.root / name,
        repositories[0], world.key,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def no_mount_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No build may leave a mount of its staging directory behind on this host."""
    yield
    assert str(tmp_path_factory.getbasetemp()) not in Path("/proc/self/mounts").read_text()
