"""A guest is built by the real mmdebstrap from a signed archive, judged, and put in place."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest

from tests.build.builds import Mirror, differences, left_behind, look, manifest
from tests.support import trees
from tests.support.debian_archive import EMPTY_PACKAGES, debian_machine

EPOCH = "1700000000"
OF_A_SYSTEMD_GUEST = {"made-base", "iptables", "chrony", *EMPTY_PACKAGES} - {"strace"}
OF_THE_INIT_SYSTEM = {"dbus", "init", "systemd"}


@pytest.fixture(scope="module")
def guest(mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """A systemd guest, and what `--json` said about it."""
    target = tmp_path_factory.mktemp("guest") / "rootfs"
    done = mirror.build(target, "--json", "--extra-pkgs", "strace")
    assert done.status == 0, done.err
    return target, json.loads(done.out)


def test_the_guest_passes_its_checks(guest: tuple[Path, dict[str, object]]) -> None:
    target, said = guest
    assert said["rootfs_dir"] == str(target)
    assert (said["distro"], said["release"], said["init"], said["content"]) == ("debian", "trixie", "systemd", "full")
    checks = said["checks"]
    assert isinstance(checks, dict)
    assert checks["failed"] == 0
    assert checks["passed"] >= 15


def test_every_stage_has_its_time(guest: tuple[Path, dict[str, object]]) -> None:
    seconds = guest[1]["seconds"]
    assert isinstance(seconds, dict)
    assert list(seconds) == ["installing packages", "furnishing the guest", "checking", "publishing"]
    assert all(time > 0 for time in seconds.values())


def test_the_manifest_lists_every_package_that_was_installed(guest: tuple[Path, dict[str, object]]) -> None:
    packages = manifest(guest[0])["packages"]
    installed = packages["installed"]
    assert {package["name"] for package in installed} == OF_A_SYSTEMD_GUEST | {"strace"}
    assert {(package["version"], package["architecture"]) for package in installed} == {("1.0-1", debian_machine())}
    assert all(package["source"] == package["name"] for package in installed)
    assert packages["extra"] == ["strace"]
    assert set(packages["requested"]) == OF_A_SYSTEMD_GUEST - {"made-base"}
    assert guest[1]["packages"] == len(installed)


def test_the_package_managers_database_is_gone(guest: tuple[Path, dict[str, object]]) -> None:
    for path in ("var/lib/dpkg", "var/lib/apt", "var/cache/apt"):
        assert not (guest[0] / path).exists(), path


def test_nothing_of_this_host_is_in_the_guest(guest: tuple[Path, dict[str, object]]) -> None:
    etc = guest[0] / "etc"
    assert (etc / "resolv.conf").read_bytes() == b""
    assert not (etc / "resolv.conf").is_symlink()
    assert not (etc / "hostname").exists() or platform.node() not in (etc / "hostname").read_text()
    assert (etc / "machine-id").read_bytes() == b""
    assert not (etc / "apt/sources.list.d").exists() or not os.listdir(etc / "apt/sources.list.d")


def test_owner_and_mode_of_the_top_are_roots(guest: tuple[Path, dict[str, object]]) -> None:
    status = guest[0].stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (0, 0, 0o755)


def test_nothing_is_left_beside_the_guest(guest: tuple[Path, dict[str, object]]) -> None:
    assert os.listdir(guest[0].parent) == [guest[0].name]


def test_a_guest_whose_agent_is_init_has_no_init_system(mirror: Mirror, tmp_path: Path) -> None:
    target = tmp_path / "rootfs"
    done = mirror.build(target, "--agent-init", "--json")
    assert done.status == 0, done.err
    assert json.loads(done.out)["checks"]["failed"] == 0
    init = target / "usr/sbin/init"
    assert init.is_file()
    assert not init.is_symlink()
    assert os.path.samefile(target / "usr/bin/kata-agent", init)
    names = {package["name"] for package in manifest(target)["packages"]["installed"]}
    assert names == OF_A_SYSTEMD_GUEST - OF_THE_INIT_SYSTEM


def test_modules_are_installed_with_an_index_of_their_own(mirror: Mirror, tmp_path: Path) -> None:
    made = trees.systemd_guest(tmp_path / "made") / "usr/lib/modules" / trees.KERNEL
    target = tmp_path / "rootfs"
    done = mirror.build(target, "--kernel-modules", str(made), "-q")
    assert (done.status, done.out, done.err) == (0, "", "")
    assert (target / "lib/modules" / trees.KERNEL / "modules.dep.bin").is_file()
    assert manifest(target)["modules"] == [trees.KERNEL]


def test_a_second_build_replaces_the_first(mirror: Mirror, tmp_path: Path) -> None:
    target = tmp_path / "rootfs"
    assert mirror.build(target, "-q").status == 0
    first = target.stat().st_ino
    (target / "usr/share/of-the-first").write_text("old")
    done = mirror.build(target, "-q", "--agent-init")
    assert (done.status, done.err) == (0, "")
    assert target.stat().st_ino != first
    assert not (target / "usr/share/of-the-first").exists()
    assert manifest(target)["init"] == "agent"
    assert left_behind(target) == []


def test_an_empty_directory_is_filled(mirror: Mirror, tmp_path: Path) -> None:
    target = tmp_path / "rootfs"
    target.mkdir()
    assert mirror.build(target, "-q").status == 0
    assert (target / "usr/bin/kata-agent").is_file()


def test_missing_directories_above_the_target_are_made(mirror: Mirror, tmp_path: Path) -> None:
    target = tmp_path / "new/and/deep"
    assert mirror.build(target, "-q", cwd=tmp_path).status == 0
    assert (target / "usr/bin/kata-agent").is_file()


def test_the_same_time_twice_gives_the_same_tree(mirror: Mirror, tmp_path: Path) -> None:
    looks = []
    for name in ("one", "two"):
        target = tmp_path / name
        done = mirror.build(target, "-q", SOURCE_DATE_EPOCH=EPOCH)
        assert done.status == 0, done.err
        looks.append(look(target))
    assert differences(*looks) == []
    assert manifest(tmp_path / "one")["created"] == "2023-11-14T22:13:20Z"
