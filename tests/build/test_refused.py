"""Builds that cannot be: each ends with its exit status and one clear message, and changes nothing."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rootfs_kit.target import SYSTEM
from tests.build.builds import Mirror, Outcome, differences, left_behind, look
from tests.support.debian_archive import NEEDED_TOOLS, describe_distro, make_archive, served
from tests.support.requirements import needs_program, needs_root
from tests.support.surroundings import PROJECT, clean_environment

AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
MOUNT = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@"'
LEFT_THERE = 'mount -t tmpfs -o size="$1" none "$2"; place=$2; shift 2; "$@"; status=$?; ls -A "$place"; exit $status'


def refused(done: Outcome, status: int, *words: str) -> None:
    """That the build ended with `status`, and with one message that holds each of `words` and says what to do."""
    assert done.status == status, done.err
    assert done.err.count("rootfs-kit: ") == 1, done.err
    assert "\n  next: " in done.err
    assert "Traceback" not in done.err
    assert "should not have happened" not in done.err
    for word in words:
        assert word in done.err


def test_a_package_that_does_not_exist_shows_what_apt_says(mirror: Mirror, tmp_path: Path) -> None:
    done = mirror.build(tmp_path / "rootfs", "--extra-pkgs", "no-such-package", "-q", TMPDIR=str(tmp_path))
    refused(done, 3, "Unable to locate package no-such-package", "The whole output is in")
    (log,) = os.listdir(tmp_path)
    assert log in done.err
    assert "Unable to locate package" in (tmp_path / log).read_text()


def test_the_last_twenty_lines_of_the_package_manager_are_shown(mirror: Mirror, tmp_path: Path) -> None:
    done = mirror.build(tmp_path / "rootfs", "--extra-pkgs", "no-such-package", "--log", str(tmp_path / "log"))
    said = (tmp_path / "log").read_text().splitlines()
    shown = [line.strip() for line in done.err.splitlines() if line.startswith("        ")]
    assert shown == [line.strip() for line in said[-20:]][-len(shown) :]
    assert 10 <= len(shown) <= 20


def test_a_mirror_that_nobody_answers_at(mirror: Mirror, tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/debian"
        done = mirror.build(tmp_path / "rootfs", "--mirror", url, "-q", TMPDIR="/tmp")
    refused(done, 3, url)
    assert os.listdir(tmp_path) == []


def test_a_mirror_that_has_no_such_archive(mirror: Mirror, tmp_path: Path) -> None:
    done = mirror.build(tmp_path / "rootfs", "--mirror", f"{mirror.url}/elsewhere", "-q")
    refused(done, 3, "404")
    assert os.listdir(tmp_path) == []


def test_an_archive_that_was_changed_after_it_was_signed(mirror: Mirror, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(mirror.archive.directory, changed)
    release = next(changed.glob("dists/*/InRelease"))
    release.write_text(release.read_text().replace("Origin: tests", "Origin: somebody else"))
    with served(changed) as url:
        done = mirror.build(tmp_path / "rootfs", "--mirror", url, "-q")
    refused(done, 3, "BADSIG")
    assert not (tmp_path / "rootfs").exists()


def test_an_archive_that_somebody_else_signed(mirror: Mirror, tmp_path: Path) -> None:
    other = make_archive(tmp_path / "other")
    with served(other.directory) as url:
        done = mirror.build(tmp_path / "rootfs", "--mirror", url, "-q")
    refused(done, 3, "NO_PUBKEY")
    assert not (tmp_path / "rootfs").exists()


def test_a_package_that_is_not_the_one_that_was_signed_for(mirror: Mirror, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(mirror.archive.directory, changed)
    package = next(changed.glob("pool/kmod_*.deb"))
    package.write_bytes(package.read_bytes() + b"more")
    with served(changed) as url:
        done = mirror.build(tmp_path / "rootfs", "--mirror", url, "-q")
    refused(done, 3)
    assert "Hash Sum mismatch" in done.err or "unexpected size" in done.err
    assert not (tmp_path / "rootfs").exists()


@needs_program(*NEEDED_TOOLS)
@needs_root()
def test_a_mirror_that_gives_another_release(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "old")
    shutil.copytree(archive.directory / "dists/trixie", archive.directory / "dists/bookworm")
    release = archive.directory / "dists/bookworm/Release"
    release.write_text(release.read_text().replace("Codename: trixie", "Codename: bookworm"))
    subprocess.run(
        ["gpg", "--homedir", str(archive.secret), "--batch", "--yes", "--quiet", "--clearsign", "--output",
         str(release.with_name("InRelease")), str(release)], check=True, stdin=-3,
    )  # fmt: skip
    distros = describe_distro(tmp_path / "described", archive)
    with served(archive.directory) as url:
        done = Mirror(archive, url, distros).build(tmp_path / "rootfs", "--os-version", "bookworm", "-q")
    refused(done, 3, "checking what the mirror gave for Debian bookworm")
    assert not (tmp_path / "rootfs").exists()


@needs_program("unshare")
def test_a_disk_that_is_full(mirror: Mirror, tmp_path: Path) -> None:
    """The target's file system takes the staging directory, and not the tree."""
    disk = tmp_path / "disk"
    disk.mkdir()
    before = ("unshare", "--mount", "sh", "-c", LEFT_THERE, "sh", "3m", str(disk))
    done = mirror.build(disk / "rootfs", "-q", before=before)
    refused(done, 3, "No space left on device")
    assert done.out == ""


@needs_program("unshare")
def test_a_mount_point(mirror: Mirror, tmp_path: Path) -> None:
    target = tmp_path / "rootfs"
    target.mkdir()
    done = mirror.build(
        target, "-q", "--force", before=("unshare", "--mount", "sh", "-c", MOUNT, "sh", "1m", str(target))
    )
    refused(done, 2, "is a mount point", "Unmount it")


@needs_program("unshare")
def test_a_directory_with_a_mount_point_in_it(mirror: Mirror, tmp_path: Path) -> None:
    target = tmp_path / "rootfs"
    (target / "proc").mkdir(parents=True)
    before = ("unshare", "--mount", "sh", "-c", MOUNT, "sh", "1m", str(target / "proc"))
    done = mirror.build(target, "-q", "--force", before=before)
    refused(done, 2, f"{target / 'proc'} is a mount point")
    assert os.listdir(target) == ["proc"]


def test_a_home(mirror: Mirror, tmp_path: Path) -> None:
    homes = [Path(user.pw_dir) for user in pwd.getpwall()]
    home = next(home for home in homes if home not in SYSTEM and home.parent.resolve() == home.parent)
    refused(mirror.build(home, "-q", "--force", cwd=tmp_path), 2, "somebody's home directory")


def test_a_path_through_a_link(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for target in (tmp_path / "link", tmp_path / "link/rootfs"):
        refused(mirror.build(target, "-q", "--force", cwd=tmp_path), 2, "symbolic link", str(tmp_path / "real"))
    assert os.listdir(tmp_path / "real") == []


def test_a_directory_that_somebody_else_filled_stays_as_it_is(mirror: Mirror, tmp_path: Path) -> None:
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "chapter-1").write_text("In the beginning")
    before = look(target)
    refused(mirror.build(target, "-q"), 2, "it holds files that rootfs-kit did not make", "--force")
    assert differences(before, look(target)) == []
    assert mirror.build(target, "-q", "--force").status == 0
    assert not (target / "chapter-1").exists()


def test_a_guest_that_does_not_conform_is_not_published(mirror: Mirror, tmp_path: Path) -> None:
    script = tmp_path / "break"
    script.write_text("#!/bin/sh\nrm /usr/sbin/init\n")
    target = tmp_path / "place/rootfs"
    assert mirror.build(target, "-q", cwd=tmp_path).status == 0
    before = look(target)
    refused(mirror.build(target, "-q", "--run", str(script)), 1, "INI-01", "Nothing was published")
    assert differences(before, look(target)) == []
    assert left_behind(target) == []


def test_a_script_that_fails_is_named(mirror: Mirror, tmp_path: Path) -> None:
    script = tmp_path / "no"
    script.write_text("#!/bin/sh\necho I would rather not\nexit 5\n")
    refused(mirror.build(tmp_path / "rootfs", "-q", "--run", str(script)), 3, "I would rather not", "exit status 5")
    assert not (tmp_path / "rootfs").exists()


def test_a_failed_tree_is_kept_on_request(mirror: Mirror, tmp_path: Path) -> None:
    script = tmp_path / "no"
    script.write_text("#!/bin/sh\nexit 5\n")
    done = mirror.build(tmp_path / "rootfs", "-q", "--run", str(script), "--keep-failed")
    kept = tmp_path / ".rootfs.rootfs-kit-failed"
    refused(done, 3, f"The unfinished tree is kept in {kept}")
    assert (kept / "usr/bin/kata-agent").is_file()


def test_a_second_build_of_the_same_target_waits_or_says_for_whom(mirror: Mirror, tmp_path: Path) -> None:
    pause = tmp_path / "pause"
    pause.write_text("#!/bin/sh\nwhile [ ! -e /opt/go ]; do sleep 0.1; done\n")
    target = tmp_path / "place/rootfs"
    target.parent.mkdir()
    with mirror.start(target, "-q", "--run", str(pause)) as first:
        _wait_for_lock(target)
        done = mirror.build(target, "-q", "--no-wait")
        refused(done, 3, "another build is at work there", f"process {first.pid}", "without --no-wait")
        with mirror.start(target, "--agent-init") as second:
            assert second.stderr is not None
            assert f"waiting for another build of this target: process {first.pid}" in second.stderr.readline()
            first.send_signal(signal.SIGTERM)
            first.wait(timeout=60)
            second.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (143, 0)
    assert (target / "usr/sbin/init").is_file()
    assert left_behind(target) == []


def _wait_for_lock(target: Path) -> None:
    until = time.monotonic() + 60
    while not (target.parent / f".{target.name}.rootfs-kit/holder").exists():
        assert time.monotonic() < until, "the first build never began"
        time.sleep(0.05)


@needs_program("setpriv")
@pytest.mark.parametrize("command", ["build", "overlay"])
def test_a_user_who_may_not_write_there(mirror: Mirror, tmp_path: Path, command: str) -> None:
    """What an ordinary user may do elsewhere depends on the host; here nothing, and it is said at once."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    arguments = ["-m", "rootfs_kit", command, *(["debian"] if command == "build" else []), "--agent", "probe"]
    target = str(closed / "sub" / "rootfs")
    done = _as_nobody(*arguments, "-q", "--rootfs-dir", target)
    refused(done, 2, target, "Permission denied")
    assert os.listdir(closed) == []


def _as_nobody(*arguments: str) -> Outcome:
    """Run this project's Python as a user who owns nothing; skips where that user cannot read it."""
    attempt = [*AS_NOBODY, sys.executable, "-c", f"open({str(PROJECT / 'conftest.py')!r})"]
    if subprocess.run(attempt, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs a checkout and a Python that every user may read")
    done = subprocess.run(
        [*AS_NOBODY, sys.executable, *arguments], cwd="/", env={**clean_environment(), "HOME": "/nonexistent"},
        capture_output=True, text=True, check=False, stdin=-3,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout, done.stderr)
