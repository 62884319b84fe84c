"""Guests are built by the real apk from a signed mirror, judged, and put in place."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.alpine.builds import Alpine
from tests.build.builds import differences, left_behind, look, manifest
from tests.support import trees

EPOCH = "1700000000"
ASKED_FOR = {"alpine-base", "bash", "chrony", "cryptsetup", "e2fsprogs", "iptables", "libseccomp"}
OF_ALPINE_ITSELF = {"alpine-baselayout", "alpine-keys", "apk-tools", "busybox", "musl", "zlib"}


@pytest.fixture(scope="session")
def guest(each_alpine: Alpine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object], Alpine]:
    """A guest, what `--json` said about it, and what it was built from."""
    target = tmp_path_factory.mktemp("guest") / "rootfs"
    done = each_alpine.build(target, "--json", "--extra-pkgs", "made-extra")
    assert done.status == 0, done.err
    return target, json.loads(done.out), each_alpine


def test_the_guest_passes_its_checks(guest: tuple[Path, dict[str, object], Alpine]) -> None:
    _, said, alpine = guest
    assert (said["distro"], said["release"], said["init"]) == ("alpine", alpine.mirror.minirootfs.release, "agent")
    checks = said["checks"]
    assert isinstance(checks, dict)
    assert (checks["failed"], checks["warned"]) == (0, 0)
    assert checks["passed"] >= 40


def test_the_manifest_lists_what_apk_installed(guest: tuple[Path, dict[str, object], Alpine]) -> None:
    packages = manifest(guest[0])["packages"]
    assert set(packages["requested"]) == ASKED_FOR
    assert packages["extra"] == ["made-extra"]
    names = {package["name"] for package in packages["installed"]}
    assert names >= ASKED_FOR | OF_ALPINE_ITSELF | {"made-extra"}


def test_scripts_and_triggers_of_packages_ran(guest: tuple[Path, dict[str, object], Alpine]) -> None:
    """busybox's scripts make its links, and each of its shells would be missing without."""
    tree = guest[0]
    for path in ("bin/sh", "bin/ls", "sbin/modprobe", "usr/bin/awk"):
        assert os.readlink(tree / path) == "/bin/busybox", path
    assert not (tree / "lib/apk/exec").exists() or not os.listdir(tree / "lib/apk/exec")


def test_owners_and_modes_are_those_of_the_packages(guest: tuple[Path, dict[str, object], Alpine]) -> None:
    tree = guest[0]
    shadow = (tree / "etc/shadow").stat()
    assert (shadow.st_uid, shadow.st_gid, shadow.st_mode & 0o7777) == (0, 42, 0o640)
    assert (tree / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_the_guests_apk_asks_alpines_mirror_and_trusts_alpines_keys(
    guest: tuple[Path, dict[str, object], Alpine],
) -> None:
    tree, _, alpine = guest
    release = alpine.mirror.minirootfs.release
    assert (tree / "etc/apk/repositories").read_text().splitlines() == [
        f"https://dl-cdn.alpinelinux.org/alpine/v{release}/main",
        f"https://dl-cdn.alpinelinux.org/alpine/v{release}/community",
    ]
    keys = os.listdir(tree / "etc/apk/keys")
    assert keys
    assert all(key.startswith("alpine-devel@") for key in keys)


def test_nothing_tells_of_the_build(guest: tuple[Path, dict[str, object], Alpine]) -> None:
    tree, _, alpine = guest
    address = alpine.url.encode()
    telling = [
        path for path in tree.rglob("*") if path.is_file() and not path.is_symlink() and address in path.read_bytes()
    ]
    assert telling == []
    assert os.listdir(tree / "var/log") == []
    assert os.listdir(tree / "var/cache") == []
    assert left_behind(tree) == []


def test_apks_database_stays_for_scanners_of_images(guest: tuple[Path, dict[str, object], Alpine]) -> None:
    assert "P:busybox\n" in (guest[0] / "lib/apk/db/installed").read_text()


def test_the_clock_follows_the_host_for_agents_that_start_chronyd(
    guest: tuple[Path, dict[str, object], Alpine],
) -> None:
    lines = (guest[0] / "etc/chrony/chrony.conf").read_text().splitlines()
    assert "refclock PHC /dev/ptp0 poll 3 dpoll -2 offset 0" in lines
    assert [line for line in lines if line.startswith(("pool", "server", "initstepslew"))] == []


def test_with_modules_kmod_takes_the_place_of_busybox(alpine: Alpine, tmp_path: Path) -> None:
    made = trees.systemd_guest(tmp_path / "made") / "usr/lib/modules" / trees.KERNEL
    done = alpine.build(tmp_path / "rootfs", "-q", "--kernel-modules", str(made))
    assert (done.status, done.out) == (0, ""), done.err
    assert os.readlink(tmp_path / "rootfs/sbin/modprobe") == "../bin/kmod"
    assert (tmp_path / "rootfs/lib/modules" / trees.KERNEL / "modules.dep.bin").is_file()


def test_only_the_repositories_that_were_named_are_used(alpine: Alpine, tmp_path: Path) -> None:
    done = alpine.build(tmp_path / "rootfs", "-q", "--components", "main", "--extra-pkgs", "made-extra")
    assert done.status == 3
    assert "made-extra (no such package)" in done.err
    done = alpine.build(tmp_path / "rootfs", "-q", "--components", "main")
    assert done.status == 0, done.err
    assert "community" not in (tmp_path / "rootfs/etc/apk/repositories").read_text()


def test_the_same_time_twice_gives_the_same_tree(alpine: Alpine, tmp_path: Path) -> None:
    looks = []
    for name in ("one", "two"):
        done = alpine.build(tmp_path / name, "-q", SOURCE_DATE_EPOCH=EPOCH)
        assert done.status == 0, done.err
        looks.append(look(tmp_path / name))
    assert differences(*looks) == []


def test_without_agent_init_it_is_refused_at_once(alpine: Alpine, tmp_path: Path) -> None:
    done = alpine.build(tmp_path / "rootfs", "--no-agent-init")
    assert done.status == 2
    assert "it has no systemd: the agent itself must be its init process" in done.err
    assert "--agent-init (AGENT_INIT=yes)" in done.err
    assert os.listdir(tmp_path) == []


def test_a_tree_of_another_release_is_not_what_was_asked_for(copied: Alpine, tmp_path: Path) -> None:
    release = copied.mirror.minirootfs.release
    (copied.mirror.directory / "v3.24").symlink_to(f"v{release}")
    done = copied.build(tmp_path / "rootfs", "-q", "--os-version", "3.24")
    assert done.status == 3
    assert "checking what the mirror gave for Alpine 3.24" in done.err
    assert f"the tree calls itself Alpine Linux v{release}" in done.err
    assert not (tmp_path / "rootfs").exists()


def test_doctor_is_content(alpine: Alpine, tmp_path: Path) -> None:
    said = ("--agent-init", "--distros-dir", str(alpine.distros), "--mirror", alpine.url)
    command = (sys.executable, "-m", "rootfs_kit", "doctor", "alpine", "--format", "json", *said)
    for host in (alpine, alpine.without_apk()):
        done = host.run(*command, cwd=tmp_path)
        found = {each["subject"]: each for each in json.loads(done.out)["diagnoses"]}
        assert found["apk"]["state"] == "ok"
        assert found["Alpine's archive"]["state"] == "ok", found["Alpine's archive"]
    assert found["apk"]["found"] == "not on PATH; a build fetches it, and verifies it"
