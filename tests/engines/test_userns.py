"""An ordinary user builds what root builds: same files, owners, modes, attributes; the archives are the same bytes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.build.builds import differences, left_behind, look, manifest
from tests.engines.guests import EPOCH, Guests
from tests.support.requirements import needs_program
from tests.support.surroundings import clean_environment

pytestmark = [pytest.mark.slow, pytest.mark.network]
NODES = {f"dev/{name}" for name in ("console", "full", "null", "ptmx", "random", "tty", "urandom", "zero")}


@pytest.fixture(scope="module")
def by_user(guests: Guests) -> Path:
    target = guests.user.home / "by-user"
    done = guests.by_user(target, SOURCE_DATE_EPOCH=EPOCH)
    assert (done.status, done.out) == (0, b""), done.err
    return target


@pytest.fixture(scope="module")
def by_root(guests: Guests) -> Path:
    target = guests.user.place / "by-root"
    done = guests.by_root(target, SOURCE_DATE_EPOCH=EPOCH)
    assert (done.status, done.out) == (0, b""), done.err
    return target


def test_the_directory_is_roots_but_for_the_device_nodes(guests: Guests, by_user: Path, by_root: Path) -> None:
    ours, roots = guests.seen_by_user(by_user), look(by_root)
    assert set(differences(ours, roots)) == NODES
    assert not NODES & ours.keys()


def test_every_owner_is_a_subordinate_id_of_the_users(guests: Guests, by_user: Path) -> None:
    owners = {name: (by_user / "opt" / name).stat() for name in ("somebodys", "nobodys", "setuid")}
    first = guests.user.first_uid - 1
    assert owners["somebodys"].st_uid == first + 1234
    assert owners["nobodys"].st_uid == first + 65534
    assert (owners["setuid"].st_uid, stat.S_IMODE(owners["setuid"].st_mode)) == (guests.user.uid, 0o4755)


def test_the_manifest_records_the_nodes_that_could_not_be_made(by_user: Path, by_root: Path) -> None:
    devices = manifest(by_user)["devices"]
    assert devices == manifest(by_root)["devices"]
    assert {device["path"].lstrip("/") for device in devices} == NODES
    assert {"path": "/dev/console", "type": "character device", "mode": "0600", "device": [5, 1]} in devices


def test_the_tar_on_a_users_standard_output_is_roots_file(guests: Guests) -> None:
    file = guests.user.place / "by-root.tar"
    by_root = guests.by_root(file, "--format", "tar", SOURCE_DATE_EPOCH=EPOCH)
    assert (by_root.status, by_root.out) == (0, b""), by_root.err
    by_user = guests.by_user("-", "--format", "tar", SOURCE_DATE_EPOCH=EPOCH)
    assert by_user.status == 0, by_user.err
    assert by_user.out == file.read_bytes()
    assert [name for name in os.listdir(guests.user.home) if name.startswith("rootfs-kit-")] == []


@needs_program("zstd", "cpio")
def test_the_compressed_cpio_is_the_same_for_both(guests: Guests, tmp_path: Path) -> None:
    ours, roots = guests.user.home / "ours.cpio.zst", guests.user.place / "roots.cpio.zst"
    for target, build in ((ours, guests.by_user), (roots, guests.by_root)):
        done = build(target, "--format", "cpio", "--agent-init", SOURCE_DATE_EPOCH=EPOCH)
        assert done.status == 0, done.err
    assert ours.read_bytes() == roots.read_bytes()
    assert ours.stat().st_uid == guests.user.uid
    assert left_behind(ours) == []


def test_a_second_build_replaces_a_tree_that_belongs_to_many(guests: Guests) -> None:
    target = guests.user.home / "twice"
    assert guests.by_user(target).status == 0
    before = target.stat().st_ino
    done = guests.by_user(target, "--json")
    assert done.status == 0, done.err
    assert target.stat().st_ino != before
    assert json.loads(done.out)["checks"]["failed"] == 0
    assert left_behind(target) == []


def test_the_users_umask_makes_no_difference(guests: Guests, by_user: Path) -> None:
    target = guests.user.home / "umask"
    command = [guests.user.program, *guests.arguments(target)]
    done = guests.user.finish(
        guests.user.as_user("sh", "-c", 'umask 077; exec "$@"', "sh", *command), SOURCE_DATE_EPOCH=EPOCH
    )
    assert done.status == 0, done.err
    assert differences(look(target), look(by_user)) == []


def test_an_overlay_of_a_users_belongs_to_root_in_the_guest(guests: Guests) -> None:
    target = guests.user.home / "overlay"
    done = guests.user.run("overlay", "-q", "--agent-tarball", str(guests.tarball), "-r", str(target))
    assert done.status == 0, done.err
    agent = (target / "usr/bin/kata-agent").stat()
    assert guests.user.inside(agent.st_uid, agent.st_gid) == (0, 0)
    assert (target / "opt/somebodys").stat().st_uid == guests.user.first_uid + 1233


def test_the_suite_sees_the_owners_that_the_guest_will_see(guests: Guests, by_user: Path) -> None:
    done = guests.user.run("check", str(by_user), "--json")
    assert done.status == 0, done.out
    described = guests.user.run("expect", str(by_user))
    assert described.status == 0, described.err
    outside = guests.user.finish([guests.user.program, "check", str(by_user)])
    assert b"belongs to user" in outside.out  # root sees the numbers of this host


def test_a_tree_that_is_the_users_alone_is_seen_as_it_is(guests: Guests) -> None:
    """Unpacked without rights it is no good guest, and the suite must not hide that."""
    archive, unpacked = guests.user.home / "plain.tar", guests.user.home / "plain"
    assert guests.by_user(archive, "--format", "tar").status == 0
    subprocess.run(guests.user.as_user("mkdir", str(unpacked)), check=True)
    options = ("--exclude=./dev/*", "--exclude=./opt/somebodys-own")
    subprocess.run(
        guests.user.as_user("tar", "-C", str(unpacked), *options, "-xf", str(archive)), check=True, capture_output=True
    )
    done = guests.user.run("check", str(unpacked))
    assert f"belongs to user {guests.user.uid}".encode() in done.out


def test_show_and_doctor_explain_the_choice(guests: Guests) -> None:
    arguments = guests.arguments(guests.user.home / "none")[1:]
    arguments.remove("--quiet")
    shown = json.loads(guests.user.run("show", *arguments, "--format", "json").out)
    assert shown["engine"]["name"] == "userns"
    assert shown["engine"]["reason"].endswith(f"{guests.user.name} is not root")
    told = guests.user.run("doctor", "debian", "--mirror", guests.url, "--format", "json")
    found = {each["subject"]: each for each in json.loads(told.out)["diagnoses"]}
    assert found["engine auto"]["state"] == "ok"
    assert found["engine auto"]["found"].startswith("userns: ")


def test_without_a_range_of_ids_the_command_that_adds_one_is_told(guests: Guests) -> None:
    stranger = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "env", guests.user.program]
    done = guests.user.finish([*stranger, *guests.arguments(guests.user.place / "none")], TMPDIR="/tmp")
    assert done.status == 4
    assert "/etc/subuid gives no ids to 54321" in done.err
    assert "sudo usermod --add-subuids " in done.err


def test_where_namespaces_are_switched_off_the_switch_is_told(guests: Guests) -> None:
    """The limit is that of a user namespace, so that this test sets it for itself alone (namespaces(7))."""
    command = guests.user.as_user(guests.user.program, *guests.arguments(guests.user.home / "none"))
    limit = 'echo ready; read go; sh -c "echo 0 >/proc/sys/user/max_user_namespaces"; exec "$@"'
    process = subprocess.Popen(
        ["unshare", "--user", "sh", "-c", limit, "sh", *command], cwd=guests.user.home, env=clean_environment(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for file in ("uid_map", "gid_map"):
        Path(f"/proc/{process.pid}/{file}").write_text("0 0 4294967295\n")
    _, err = process.communicate("go\n", timeout=60)
    assert process.returncode == 4, err
    assert "does not let" in err
    assert "sysctl -w user.max_user_namespaces=15000" in err


def test_root_may_ask_for_the_host_and_a_user_may_not(guests: Guests) -> None:
    done = guests.by_user(guests.user.home / "none", "--engine", "host")
    assert done.status == 4
    assert "--engine userns" in done.err


def test_archives_are_taken_by_the_real_tools(guests: Guests, by_root: Path, tmp_path: Path) -> None:
    file = guests.user.home / "real.tar"
    done = guests.by_user(file, "--format", "tar", SOURCE_DATE_EPOCH=EPOCH)
    assert done.status == 0, done.err
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    options = ("--numeric-owner", "--xattrs", "--xattrs-include=*", "--same-permissions", "--delay-directory-restore")
    done_tar = subprocess.run(
        ["tar", "-C", str(unpacked), *options, "-xf", str(file)], capture_output=True, text=True, check=False
    )
    assert (done_tar.returncode, done_tar.stderr) == (0, "")
    assert differences(look(unpacked), look(by_root)) == []
