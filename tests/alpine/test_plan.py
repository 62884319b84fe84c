"""What a build of Alpine would run, lay ready and leave behind: data, before anything is done."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from rootfs_kit.backends import PinnedFile, Site
from rootfs_kit.backends.apk_static import ApkStatic
from rootfs_kit.backends.registry import find_backend
from rootfs_kit.distro import Distro, SigningKey
from rootfs_kit.distro.search import find_distro
from rootfs_kit.errors import UsageError
from rootfs_kit.mirrors import mirrors_of
from rootfs_kit.request import BuildRequest
from tests.support.surroundings import planned_build

SITE = Site(Path("/tree"), Path("/files"), "http://mirror.example/alpine/")
REQUEST = BuildRequest(Path("/out"), distro="alpine", agent_init=True, arch="x86_64")
PACKAGES = ("alpine-base", "bash", "cryptsetup", "e2fsprogs", "iptables", "chrony", "libseccomp")
ROOT = ("--root", "/tree", "--keys-dir", "/files/keys", "--no-progress")
REPOSITORIES = (
    "--repositories-file", "/files/repositories", "--cache-dir", "/tree/var/cache/apk", "--timeout", "30",
)  # fmt: skip
SHA1 = {"OPENSSL_ENABLE_SHA1_SIGNATURES": "1"}


@pytest.fixture(scope="module")
def alpine() -> Distro:
    return find_distro("alpine")


def plan(distro: Distro, request: BuildRequest = REQUEST, site: Site = SITE):
    return find_backend("apk").plan(request, distro, site)


def test_a_database_is_made_and_indexes_are_verified_before_anything_is_installed(alpine: Distro) -> None:
    made = plan(alpine)
    assert [command.argv for command in made.commands] == [
        ("apk", "add", "--initdb", *ROOT, "--arch", "x86_64"),
        ("apk", "update", *ROOT, *REPOSITORIES),
        ("apk", "add", *ROOT, *REPOSITORIES, *PACKAGES),
    ]
    assert made.packages == PACKAGES


def test_apk_may_verify_sha_1_on_hosts_that_forbid_it(alpine: Distro) -> None:
    assert [command.environment for command in plan(alpine).commands] == [SHA1] * 3


def test_what_comes_unsigned_is_never_allowed(alpine: Distro) -> None:
    words = [word for command in plan(alpine).commands for word in command.argv]
    assert [word for word in words if "untrusted" in word or "force" in word] == []


def test_the_build_asks_its_mirror_and_the_guest_alpines(alpine: Distro) -> None:
    made = plan(alpine)
    assert made.files["repositories"] == (
        b"http://mirror.example/alpine/v3.24/main\nhttp://mirror.example/alpine/v3.24/community\n"
    )
    assert made.settings == {
        "/etc/apk/repositories": "https://dl-cdn.alpinelinux.org/alpine/v3.24/main\n"
        "https://dl-cdn.alpinelinux.org/alpine/v3.24/community\n"
    }


def test_edge_has_a_directory_of_its_own(alpine: Distro) -> None:
    made = plan(alpine, replace(REQUEST, os_version="edge"))
    assert made.files["repositories"] == (
        b"http://mirror.example/alpine/edge/main\nhttp://mirror.example/alpine/edge/community\n"
    )


def test_every_key_is_laid_ready_by_its_own_name_and_pinned(alpine: Distro) -> None:
    keys = {name: content for name, content in plan(alpine).files.items() if name.startswith("keys/")}
    assert len(keys) == len(alpine.keys) == 13
    for name, content in keys.items():
        assert isinstance(content, PinnedFile)
        assert name == f"keys/{content.file.name}"
        assert content.read().startswith(b"-----BEGIN PUBLIC KEY-----")


def test_the_fetched_apk_is_for_the_host_whatever_the_guest_is(alpine: Distro) -> None:
    (tool,) = plan(alpine, replace(REQUEST, arch="aarch64")).tools
    assert (tool.program, tool.packages) == ("apk", {"alpine": "apk-tools"})
    fetch = tool.fetch
    assert isinstance(fetch, ApkStatic)
    assert fetch.repositories == (
        "http://mirror.example/alpine/v3.24/main",
        "http://mirror.example/alpine/v3.24/community",
    )
    assert fetch.architectures["x86_64"] == "x86_64"
    assert {key.file for key in fetch.keys} == {key.file for key in alpine.keys}


@pytest.mark.parametrize(("machine", "arch"), [("armv7l", "armv7"), ("aarch64", "aarch64"), ("riscv64", "riscv64")])
def test_machines_go_by_alpines_names(alpine: Distro, machine: str, arch: str) -> None:
    command = plan(alpine, replace(REQUEST, arch=machine)).commands[0]
    assert command.argv[command.argv.index("--arch") + 1] == arch


def test_source_date_epoch_reaches_apk(alpine: Distro) -> None:
    for command in plan(alpine, replace(REQUEST, source_date_epoch=7)).commands:
        assert command.environment == {**SHA1, "SOURCE_DATE_EPOCH": "7"}


def test_features_bring_their_packages(alpine: Distro) -> None:
    asked = replace(REQUEST, seccomp=False, confidential=True, kernel_modules=Path("/m"), extra_packages=("strace",))
    assert plan(alpine, asked).packages[6:] == ("ca-certificates", "kmod", "strace")


def test_repositories_can_be_chosen_by_name(alpine: Distro) -> None:
    made = plan(alpine, replace(REQUEST, components=("main",)))
    assert made.files["repositories"] == b"http://mirror.example/alpine/v3.24/main\n"
    with pytest.raises(UsageError) as caught:
        plan(alpine, replace(REQUEST, components=("main", "testing")))
    assert caught.value.found == 'it has no repository "testing"'
    assert caught.value.hint == "Its repositories are main and community."


def test_the_mirrors_of_the_distribution_are_tried_in_turn(alpine: Distro) -> None:
    assert len(mirrors_of(REQUEST, alpine)) == 4
    assert mirrors_of(replace(REQUEST, mirror="http://one.example"), alpine) == ("http://one.example",)


def test_without_a_mirror_there_is_nothing_to_ask(alpine: Distro) -> None:
    mute = alpine._replace(mirrors=())
    with pytest.raises(UsageError, match="no mirror is named"):
        plan(mute, site=replace(SITE, mirror=None))
    assert plan(mute).settings == {}


def test_without_a_key_nothing_can_be_trusted(alpine: Distro) -> None:
    with pytest.raises(UsageError, match="no key is named"):
        plan(alpine._replace(keys=()))


def test_a_key_is_pinned_by_the_digest_of_its_file(alpine: Distro) -> None:
    with pytest.raises(UsageError, match="a SHA-256 digest has 64"):
        plan(alpine._replace(keys=(SigningKey(Path("k.rsa.pub"), "a" * 40),)))


def test_without_repositories_there_is_nothing_to_install_from(alpine: Distro) -> None:
    with pytest.raises(UsageError, match=r"names no \[\[repository\]\]"):
        plan(alpine._replace(repositories=()))


def test_every_mirror_has_an_index_of_apk_2_or_of_apk_3(alpine: Distro) -> None:
    directory = "v3.24/main/x86_64"
    assert find_backend("apk").index(REQUEST, alpine) == f"{directory}/APKINDEX.tar.gz {directory}/Packages.adb"


def test_systemd_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        planned_build(tmp_path, distro="alpine", agent_bin="agent")
    assert caught.value.found == "it has no systemd: the agent itself must be its init process"
    assert caught.value.hint.startswith("Give --agent-init (AGENT_INIT=yes)")


def test_releases_are_supported_for_two_years(alpine: Distro) -> None:
    assert alpine.release().name == "3.24"
    assert alpine.release("latest-stable").name == "3.24"
    ended = [release.name for release in alpine.releases if release.has_ended(date(2026, 11, 25))]
    assert ended == ["3.21", "3.20"]
    assert not alpine.release("edge").has_ended(date(2099, 1, 1))
