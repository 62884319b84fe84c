"""Two releases of Alpine, each unpacked, packed again into a mirror, and served, once for all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.alpine.builds import Alpine
from tests.support.alpine_mirror import (
    Minirootfs,
    apk_on_path,
    apk_tools_static,
    describe_distro,
    make_mirror,
    unpacked,
)
from tests.support.apk_files import Package
from tests.support.debian_archive import served
from tests.support.requirements import third_party_data

NEEDED_TOOLS = ("openssl", "cc", "bash-static")
RELEASES = ("3.19", "3.20")


def alpine_of(release: str, directory: Path) -> Iterator[Alpine]:
    minirootfs = _minirootfs(release, directory)
    mirror = make_mirror(minirootfs, directory / "mirror")
    distros = describe_distro(directory / "described", mirror)
    programs = apk_on_path(directory / "programs", minirootfs)
    with served(mirror.directory.parent) as url:
        yield Alpine(mirror, f"{url}/alpine", distros, directory / "cache", programs)


def _minirootfs(release: str, directory: Path) -> Minirootfs:
    if os.uname().machine != "x86_64":
        pytest.skip("needs an x86_64 machine: Alpine's minirootfs archives are for one")
    if os.geteuid() != 0:
        pytest.skip("needs root")
    missing = [tool for tool in NEEDED_TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} on PATH")
    archives = sorted(third_party_data().glob(f"alpine/alpine-minirootfs-{release}.*-x86_64.tar.gz"))
    if not archives:
        pytest.skip(f"needs Alpine's minirootfs archive of {release} in the third-party data")
    return unpacked(archives[-1], directory / "minirootfs")


@pytest.fixture(scope="session", params=RELEASES)
def each_alpine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alpine]:
    """Each of the releases, in turn. Not to be changed."""
    yield from alpine_of(request.param, tmp_path_factory.mktemp(f"alpine-{request.param}"))


@pytest.fixture(scope="session")
def alpine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alpine]:
    """The newer release. Not to be changed: see `copied`."""
    yield from alpine_of(RELEASES[-1], tmp_path_factory.mktemp("alpine"))


@pytest.fixture
def copied(alpine: Alpine, tmp_path: Path) -> Iterator[Alpine]:
    """The newer release, with a mirror of the test's own to be broken, and no cache."""
    directory = tmp_path / "copied/alpine"
    shutil.copytree(alpine.mirror.directory, directory)
    with served(directory.parent) as url:
        mirror = replace(alpine.mirror, directory=directory)
        yield replace(alpine, mirror=mirror, url=f"{url}/alpine", cache=tmp_path / "cache")


@pytest.fixture(scope="session")
def tools(alpine: Alpine, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A package apk-tools-static."""
    return apk_tools_static(alpine.mirror.minirootfs, tmp_path_factory.mktemp("static"))


@pytest.fixture
def host(copied: Alpine, tools: Package) -> Alpine:
    """A host without apk, and a mirror with apk.static that may be broken."""
    copied.mirror.add(tools, copied.mirror.main)
    copied.mirror.index(copied.mirror.main)
    return copied.without_apk()
