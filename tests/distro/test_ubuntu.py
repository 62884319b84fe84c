"""What is known of Ubuntu, and what that makes of a request."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rootfs_kit.backends import Site
from rootfs_kit.backends.mmdebstrap import Mmdebstrap
from rootfs_kit.distro import Distro
from rootfs_kit.distro.search import find_distro
from rootfs_kit.mirrors import mirrors_of
from rootfs_kit.request import BuildRequest
from tests.support.requirements import needs_program

SITE = Site(Path("/tree"), Path("/files"), "http://mirror.example/ubuntu")


@pytest.fixture(scope="module")
def ubuntu() -> Distro:
    return find_distro("ubuntu")


@pytest.fixture
def request_(tmp_path: Path) -> BuildRequest:
    return BuildRequest(tmp_path / "out", distro="ubuntu", arch="x86_64")


@pytest.mark.parametrize(
    ("word", "name"), [(None, "resolute"), ("26.04", "resolute"), ("24.04", "noble"), ("jammy", "jammy")]
)
def test_the_long_lived_releases_are_known(ubuntu: Distro, word: str | None, name: str) -> None:
    assert ubuntu.release(word).name == name
    assert ubuntu.release(word).end_of_life is not None


def test_its_trees_are_none_of_debians(ubuntu: Distro) -> None:
    assert ubuntu.os_release_ids == ("ubuntu",)
    assert find_distro("debian").os_release_ids == ("debian",)


def test_the_ports_have_an_archive_of_their_own(ubuntu: Distro, request_: BuildRequest) -> None:
    assert all("ports" not in str(mirror) for mirror in mirrors_of(request_, ubuntu))
    for machine in set(ubuntu.architectures) - {"x86_64"}:
        assert all("ports" in str(mirror) for mirror in mirrors_of(replace(request_, arch=machine), ubuntu))


def test_a_build_takes_updates_and_security_fixes(ubuntu: Distro, request_: BuildRequest) -> None:
    [command] = Mmdebstrap().plan(request_, ubuntu, SITE).commands
    assert command.argv[-5:] == (
        "resolute",
        "/tree",
        "deb http://mirror.example/ubuntu resolute main universe",
        "deb http://mirror.example/ubuntu resolute-updates main universe",
        "deb http://mirror.example/ubuntu resolute-security main universe",
    )


def test_a_mirror_that_the_user_names_is_taken_as_it_is(ubuntu: Distro, request_: BuildRequest) -> None:
    [command] = Mmdebstrap().plan(replace(request_, mirror=SITE.mirror), ubuntu, SITE).commands
    assert command.argv[-3:] == ("resolute", "/tree", SITE.mirror)


def test_only_ubuntus_own_key_is_trusted_and_nothing_unsigned(ubuntu: Distro, request_: BuildRequest) -> None:
    plan = Mmdebstrap().plan(request_, ubuntu, SITE)
    [command] = plan.commands
    assert "--keyring=/files/keyrings" in command.argv
    assert plan.files == {"keyrings/ubuntu-archive-2018.gpg": ubuntu.directory / "keys/ubuntu-archive-2018.gpg"}
    assert not any("trusted=yes" in word or "allow-unauthenticated" in word.lower() for word in command.argv)


@needs_program("gpg")
def test_the_key_that_is_shipped_has_the_fingerprint_that_is_named(ubuntu: Distro, tmp_path: Path) -> None:
    gpg = shutil.which("gpg")
    assert gpg is not None
    for key in ubuntu.keys:
        shown = subprocess.run(
            [gpg, "--homedir", str(tmp_path), "--show-keys", "--with-colons", str(key.file)],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        primary = [line.split(":")[9].lower() for line in shown.splitlines() if line.startswith("fpr:")]
        assert primary == [key.fingerprint]
