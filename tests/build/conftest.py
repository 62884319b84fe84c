"""The archive in miniature, made and served once for all builds of the tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.builds import Mirror
from tests.support.debian_archive import NEEDED_TOOLS, Archive, describe_distro, make_archive, served


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Not to be changed: take `shutil.copytree` of its directory for that."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    missing = [tool for tool in NEEDED_TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} on PATH")
    return make_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="session")
def mirror(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    distros = describe_distro(tmp_path_factory.mktemp("described"), archive)
    with served(archive.directory) as url:
        yield Mirror(archive, url, distros)


@pytest.fixture(autouse=True)
def mounts_stay_as_they_were(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No build may leave a mount behind on this host; what others mount elsewhere meanwhile is theirs."""
    before = _mounts_below(tmp_path_factory.getbasetemp())
    yield
    assert _mounts_below(tmp_path_factory.getbasetemp()) - before == set()


def _mounts_below(place: Path) -> set[str]:
    return {line for line in Path("/proc/self/mounts").read_text().splitlines() if str(place) in line}
