"""Guests of every rpm distribution are built by its real package manager from a signed mirror, and pass the suite."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rootfs_kit.distro import Distro
from rootfs_kit.distro.search import find_distro
from rootfs_kit.request import BuildRequest
from tests.build.builds import differences, look, manifest
from tests.rpm_builds.mirrors import RpmMirror
from tests.support.rpm_repository import FLAVOURS, Flavour

QUICK = (("fedora", "44"), ("opensuse", "16.0"))
RELEASES = [
    pytest.param(each, id=f"{each.distro} {each.version}", marks=() if key in QUICK else pytest.mark.slow)
    for each in FLAVOURS
    for key in [(each.distro, each.version)]
]
# Where dnf and zypper keep what they know, in a tree or on a host.
STATE = (
    "etc/dnf/modules.d", "root/.rpmdb", "usr/lib/sysimage/libdnf5", "usr/lib/sysimage/rpm", "var/cache/dnf",
    "var/cache/libdnf5", "var/cache/zypp", "var/lib/dnf", "var/lib/rpm", "var/lib/zypp", "var/log/zypp",
)  # fmt: skip
HOST_STATE = tuple(path for path in STATE if not path.startswith("root/"))


@dataclass(frozen=True)
class Guest:
    """One guest: where it came from, where it is, what `--json` said of it."""

    mirror: RpmMirror
    flavour: Flavour
    target: Path
    said: dict[str, Any]
    agent_init: bool

    @property
    def distro(self) -> Distro:
        return find_distro(self.mirror.distro, [self.mirror.distros])

    @property
    def installed(self) -> set[str]:
        return {package["name"] for package in manifest(self.target)["packages"]["installed"]}


@pytest.fixture(scope="module", params=RELEASES)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return request.param


@pytest.fixture(scope="module", params=[False, True], ids=["systemd", "agent-init"])
def guest(
    request: pytest.FixtureRequest,
    flavour: Flavour,
    mirror_of: Callable[[str, str], RpmMirror],
    tmp_path_factory: pytest.TempPathFactory,
) -> Guest:
    mirror = mirror_of(flavour.distro, flavour.version)
    target = tmp_path_factory.mktemp("guest") / "rootfs"
    done = mirror.build(target, "--json", *(("--agent-init",) if request.param else ()))
    assert done.status == 0, done.err
    return Guest(mirror, flavour, target, json.loads(done.out), request.param)


def test_the_guest_passes_its_checks(guest: Guest) -> None:
    assert (guest.said["distro"], guest.said["release"]) == (guest.flavour.distro, guest.flavour.version)
    assert guest.said["init"] == ("agent" if guest.agent_init else "systemd")
    assert (guest.said["checks"]["failed"], guest.said["checks"]["warned"]) == (0, 0)
    assert guest.said["checks"]["passed"] >= 50


def test_the_manifest_lists_what_was_asked_for_and_what_that_needs(guest: Guest) -> None:
    version, mode = guest.flavour.version, guest.agent_init
    request = BuildRequest(guest.target, distro=guest.flavour.distro, os_version=version, agent_init=mode)
    assert guest.installed == {*guest.distro.packages_for(request), "filesystem", "bash"}
    assert ("systemd" in guest.installed) is not guest.agent_init
    method = manifest(guest.target)["packages"]["method"]
    assert method.startswith("rpm-")


def test_what_is_only_recommended_and_documentation_stay_out(guest: Guest) -> None:
    assert "bash-completion" not in guest.installed
    assert not (guest.target / "usr/share/doc").exists()


def test_scriptlets_ran_in_the_guest(guest: Guest) -> None:
    assert "chrony:x:990:" in (guest.target / "etc/passwd").read_text()


def test_the_clock_asks_nobody_on_the_internet(guest: Guest) -> None:
    lines = [(guest.target / path).read_text() for path in ("etc/chrony.conf", "etc/chrony.d/pool.conf")]
    assert not [line for text in lines for line in text.splitlines() if line.startswith(("pool", "server"))]
    assert "refclock PHC /dev/ptp0" in lines[0]


def test_nothing_of_the_package_managers_state_is_left(guest: Guest) -> None:
    assert [path for path in STATE if (guest.target / path).exists()] == []
    assert os.listdir(guest.target.parent) == [guest.target.name]


def test_the_guest_keeps_its_own_repositories_and_none_of_the_builds(guest: Guest) -> None:
    assert os.listdir(guest.target / "etc/yum.repos.d") == ["own.repo"]
    address = guest.mirror.url.encode()
    files = [path for path in guest.target.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in files if address in path.read_bytes()] == []


@pytest.mark.parametrize(("distro", "version"), QUICK)
def test_the_same_time_twice_gives_the_same_tree(
    mirror_of: Callable[[str, str], RpmMirror], tmp_path: Path, distro: str, version: str
) -> None:
    mirror = mirror_of(distro, version)
    for name in ("one", "two"):
        done = mirror.build(tmp_path / name, "-q", SOURCE_DATE_EPOCH="1700000000")
        assert done.status == 0, done.err
    assert differences(look(tmp_path / "one"), look(tmp_path / "two")) == []


@pytest.mark.parametrize(("distro", "version"), QUICK)
def test_this_hosts_own_package_manager_notices_nothing(
    mirror_of: Callable[[str, str], RpmMirror], tmp_path: Path, distro: str, version: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".rpmmacros").write_text("%_dbpath /a/place/of/this/host\n%_signature none\n")
    (home / ".zypper.conf").write_text("[main]\nthis is no configuration\n")
    mirror = mirror_of(distro, version)
    before = {path: look(Path("/", path)) for path in HOST_STATE if Path("/", path).is_dir()}
    target = tmp_path / "rootfs"
    done = mirror.build(target, "-q", HOME=str(home))
    assert done.status == 0, done.err
    assert not (target / "a").exists()
    assert {path: look(Path("/", path)) for path in HOST_STATE if Path("/", path).is_dir()} == before
    assert sorted(os.listdir(home)) == [".rpmmacros", ".zypper.conf"]


def test_a_place_with_a_space_in_its_name_will_do(mirror_of: Callable[[str, str], RpmMirror], tmp_path: Path) -> None:
    for distro, version in QUICK:
        target = tmp_path / "my guests" / distro
        target.parent.mkdir(exist_ok=True)
        done = mirror_of(distro, version).build(target, "-q", "--agent-init")
        assert done.status == 0, done.err
