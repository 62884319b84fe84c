"""A mirror that lacks files, serves rubbish, breaks off or never answers: told in words, and the next one is tried."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from rootfs_kit.backends import Plan, Site
from rootfs_kit.backends.registry import find_backend
from rootfs_kit.distro.search import find_distro
from rootfs_kit.engines.host import HostEngine
from rootfs_kit.errors import BuildFailed
from rootfs_kit.request import BuildRequest
from tests.build.builds import left_behind
from tests.rpm_builds.mirrors import RpmMirror, bench_in
from tests.support.debian_archive import served

BOTH = (("fedora", "44"), ("opensuse", "16.0"))
SHORTER = {
    "connect_timeout=30": "connect_timeout=2",
    "transfer_timeout=60": "transfer_timeout=2",
    "silent_tries=3": "silent_tries=1",
    "\ntimeout=30": "\ntimeout=2",
    "\nretries=3": "\nretries=1",
}
WITHIN = 60
"""Seconds."""


@pytest.fixture
def mirror(request: pytest.FixtureRequest, mirror_of: Callable[[str, str], RpmMirror]) -> RpmMirror:
    return mirror_of(*request.param)


def refused(mirror: RpmMirror, target: Path) -> str:
    done = mirror.build(target, "--agent-init")
    assert done.status == 3, done.out + done.err
    assert not target.exists()
    assert left_behind(target) == []
    return done.err


@pytest.mark.parametrize("mirror", BOTH, indirect=True)
def test_a_mirror_without_the_release_is_told_by_the_address_that_failed(mirror: RpmMirror, tmp_path: Path) -> None:
    said = refused(replace(mirror, url=f"{mirror.url}/nowhere"), tmp_path / "rootfs")
    assert f"{mirror.url}/nowhere" in said


@pytest.mark.parametrize("mirror", BOTH, indirect=True)
def test_an_index_that_is_rubbish_is_refused(mirror: RpmMirror, tmp_path: Path) -> None:
    changed = mirror.copy()
    changed.index.write_text("<html>Please sign in to this network</html>")
    assert "repo" in refused(changed, tmp_path / "rootfs")


@pytest.mark.parametrize("mirror", BOTH, indirect=True)
def test_a_package_that_is_not_there_is_named(mirror: RpmMirror, tmp_path: Path) -> None:
    changed = mirror.copy()
    changed.package("kmod").unlink()
    assert "kmod-1.0-1" in refused(changed, tmp_path / "rootfs")


@pytest.mark.parametrize("mirror", BOTH, indirect=True)
def test_a_package_that_no_repository_has_is_named_and_not_looked_for_elsewhere(
    mirror: RpmMirror, tmp_path: Path
) -> None:
    distros = _with_mirrors(mirror, tmp_path / "distros", mirror.url, f"{mirror.url}/nowhere")
    done = mirror.run(
        _without_a_mirror(mirror, tmp_path / "rootfs", distros, "--extra-pkgs", "there-is-none"), tmp_path / "rootfs"
    )
    assert done.status == 3
    assert "there-is-none" in done.err
    assert "nowhere" not in done.err


@pytest.mark.parametrize("mirror", BOTH, indirect=True)
def test_a_connection_that_breaks_off_is_tried_again(mirror: RpmMirror, tmp_path: Path) -> None:
    broken: set[str] = set()

    class BreaksOffOnce(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if "kmod" in self.path and self.path not in broken:
                broken.add(self.path)
                self.connection.close()
                return
            super().do_GET()

    with served(mirror.directory, BreaksOffOnce) as url:
        done = replace(mirror, url=url).build(tmp_path / "rootfs", "-q", "--agent-init")
    assert done.status == 0, done.err
    assert broken


@pytest.mark.parametrize("mirror", BOTH, indirect=True)
def test_a_mirror_that_never_answers_is_given_up(mirror: RpmMirror, tmp_path: Path) -> None:
    """The limits are those of the plan, made shorter: the tools keep to what its files say."""

    class NeverAnswers(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(WITHIN)

    distro = find_distro(mirror.distro, [mirror.distros])
    request = BuildRequest(tmp_path / "out", distro=distro.name, arch=os.uname().machine, os_version=mirror.version)

    def impatient(site: Site) -> Plan:
        plan = find_backend(distro.backend).plan(request, distro, site)
        return replace(plan, files={name: _shortened(content) for name, content in plan.files.items()})

    begun = time.monotonic()
    with served(tmp_path, NeverAnswers) as url, bench_in(tmp_path) as bench, pytest.raises(BuildFailed) as caught:
        HostEngine().fill(bench, impatient, url)
    assert time.monotonic() - begun < WITHIN
    assert url in caught.value.found


@pytest.mark.parametrize("mirror", BOTH, indirect=True)
def test_the_mirrors_of_a_distribution_are_tried_in_turn(mirror: RpmMirror, tmp_path: Path) -> None:
    distros = _with_mirrors(mirror, tmp_path / "distros", f"{mirror.url}/nowhere", mirror.url)
    done = mirror.run(_without_a_mirror(mirror, tmp_path / "rootfs", distros), tmp_path / "rootfs")
    assert done.status == 0, done.err
    assert f"{mirror.url}/nowhere" in done.err


def test_a_mirror_that_serves_another_release_is_found_out(
    mirror_of: Callable[[str, str], RpmMirror], tmp_path: Path
) -> None:
    """Leap's packages where Tumbleweed's should be, which goes by no number."""
    leap, rolling = mirror_of("opensuse", "15.6"), mirror_of("opensuse", "tumbleweed").copy()
    shutil.rmtree(rolling.repository)
    shutil.copytree(leap.repository, rolling.repository)
    said = refused(rolling, tmp_path / "rootfs")
    assert "checking what the mirror gave for openSUSE tumbleweed" in said


def _with_mirrors(mirror: RpmMirror, directory: Path, *addresses: str) -> Path:
    """The distributions of `mirror`, its own with other mirrors."""
    shutil.copytree(mirror.distros, directory)
    file = directory / mirror.distro / "distro.toml"
    quoted = ", ".join(f'"{address}"' for address in addresses)
    text, count = re.subn(r"^mirrors = \[.*?\]$", f"mirrors = [{quoted}]", file.read_text(), flags=re.M | re.S)
    assert count == 1
    file.write_text(text)
    return directory


def _without_a_mirror(mirror: RpmMirror, target: Path, distros: Path, *more: str) -> list[str]:
    """The command line of a build that names none itself."""
    line = mirror.arguments(target, *more)
    at = line.index("--mirror")
    del line[at : at + 2]
    line[line.index("--distros-dir") + 1] = str(distros)
    return line


def _shortened(content: bytes | Path) -> bytes | Path:
    if isinstance(content, Path):
        return content
    text = content.decode()
    for patient, impatient in SHORTER.items():
        text = text.replace(patient, impatient)
    return text.encode()
