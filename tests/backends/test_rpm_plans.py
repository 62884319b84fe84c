"""What dnf, tdnf and zypper are told, as data: commands, and the files that are laid beside the tree."""

from __future__ import annotations

import configparser
import os
from dataclasses import replace
from pathlib import Path

import pytest

from rootfs_kit.backends import Plan, Site
from rootfs_kit.backends.registry import find_backend
from rootfs_kit.distro.search import discover, find_distro
from rootfs_kit.errors import UsageError
from rootfs_kit.request import BuildRequest

SITE = Site(Path("/w/tree"), Path("/w/files"), "http://m.example/pub")
RPM_BACKENDS = ("dnf", "tdnf", "zypper")
RPM_DISTROS = [each.name for each in discover() if each.backend in RPM_BACKENDS]
FOREIGN = "aarch64" if os.uname().machine != "aarch64" else "x86_64"


def plan(name: str, site: Site = SITE, **knobs: object) -> Plan:
    distro = find_distro(name)
    request = BuildRequest(Path("/out"), distro=name, **{"arch": os.uname().machine, **knobs})
    return find_backend(distro.backend).plan(request, distro, site)


def configuration(made: Plan, name: str) -> configparser.ConfigParser:
    content = made.files[name]
    assert isinstance(content, bytes)
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(content.decode())
    return parser


def test_dnf_is_called_once_with_a_tree_and_a_configuration_of_its_own():
    made = plan("fedora", os_version="43", source_date_epoch=1700000000)
    (command,) = made.commands
    assert command.argv[: -len(made.packages)] == (
        "dnf", "--assumeyes", "--config=/w/files/dnf.conf", "--installroot=/w/tree", "--releasever=43",
        "--setopt=tsflags=nodocs", "install",
    )  # fmt: skip
    assert command.argv[-len(made.packages) :] == made.packages
    assert command.environment == {
        "HOME": "/w/files/home", "SOURCE_DATE_EPOCH": "1700000000", "DNF_DISABLE_ALIASES": "1",
    }  # fmt: skip
    assert [tool.program for tool in made.tools] == ["dnf"]


def test_dnf_reads_nothing_of_this_host():
    main = configuration(plan("fedora"), "dnf.conf")["main"]
    assert (main["reposdir"], main["varsdir"], main["plugins"]) == ("/dev/null", "/nonexistent", "0")
    # Inside the tree, whose own they become by --installroot.
    assert [main[key] for key in ("cachedir", "persistdir", "logdir")] == ["/var/cache/dnf", "/var/lib/dnf", "/var/log"]
    assert (main["gpgcheck"], main["install_weak_deps"]) == ("1", "0")
    assert (main["timeout"], main["retries"], main["skip_if_unavailable"]) == ("30", "3", "0")


def test_the_repositories_are_the_mirrors_and_trust_the_releases_key_only():
    parsed = configuration(plan("fedora", os_version="43"), "dnf.conf")
    assert parsed.sections() == ["main", "fedora", "updates"]
    machine = os.uname().machine
    assert parsed["fedora"]["baseurl"] == f"http://m.example/pub/releases/43/Everything/{machine}/os"
    assert parsed["updates"]["baseurl"] == f"http://m.example/pub/updates/43/Everything/{machine}"
    for name in ("fedora", "updates"):
        assert parsed[name]["gpgkey"] == "file:///w/files/keys/RPM-GPG-KEY-fedora-43-primary"
        assert (parsed[name]["gpgcheck"], parsed[name]["repo_gpgcheck"]) == ("1", "0")


def test_signed_indexes_are_checked_where_the_distribution_has_them():
    parsed = configuration(plan("azurelinux"), "dnf.conf")
    assert parsed["base"]["repo_gpgcheck"] == "1"
    assert len(parsed["base"]["gpgkey"].split()) == 2


def test_tdnf_may_be_replaced_by_dnf_and_gets_its_repositories_from_a_directory():
    made = plan("azurelinux")
    (tool,) = made.tools
    assert (tool.program, *tool.instead) == ("tdnf", "dnf", "dnf5")
    assert configuration(made, "dnf.conf")["main"]["repodir"] == "/w/files/repositories"
    assert configuration(made, "repositories/rootfs-kit.repo").sections() == ["base"]


@pytest.mark.parametrize("name", RPM_DISTROS)
def test_what_is_foreign_is_so_to_the_machine_that_the_commands_run_on(name: str):
    """A container engine's may be the one that is built for, and this host's another."""
    machine = os.uname().machine
    elsewhere = replace(SITE, machine=FOREIGN)

    def told(made: Plan) -> str:
        return " ".join(made.commands[0].argv) + str(made.files.get("zypp.conf"))

    assert f"arch={FOREIGN}" not in told(plan(name, elsewhere, arch=FOREIGN))
    assert f"arch={machine}" in told(plan(name, elsewhere, arch=machine))
    assert f"arch={machine}" not in told(plan(name, SITE, arch=machine))


def test_tdnf_is_not_asked_for_another_machine_than_its_own():
    made = plan("azurelinux", arch=FOREIGN)
    assert [tool.program for tool in made.tools] == ["dnf"]
    assert made.commands[0].argv[0] == "dnf"
    assert f"--forcearch={FOREIGN}" in made.commands[0].argv


@pytest.mark.parametrize("name", RPM_DISTROS)
def test_another_machines_packages_are_asked_for_by_its_name(name: str):
    made = plan(name, arch=FOREIGN)
    words = [*made.commands[-1].argv, *str(made.files.get("zypp.conf", b"")).split("\\n")]
    assert [word for word in words if word in (f"--forcearch={FOREIGN}", f"arch={FOREIGN}")]
    native = plan(name)
    assert "forcearch" not in str(native.commands)
    assert "arch=" not in str(native.files.get("zypp.conf", b""))


def test_rpms_database_is_where_the_release_has_it_and_rpm_wants_signatures():
    nine, ten = (plan("centos", os_version=version).files["home/.rpmmacros"] for version in ("9", "10"))
    assert nine == b"%_dbpath /var/lib/rpm\n%_pkgverify_level all\n"
    assert ten == b"%_dbpath /usr/lib/sysimage/rpm\n%_pkgverify_level all\n"


def test_zypper_knows_the_pinned_keys_before_it_looks_at_a_mirror_and_trusts_no_others():
    made = plan("opensuse", os_version="15.6")
    keys, refresh, install = (command.argv for command in made.commands)
    assert keys[:3] == ("rpm", "--root=/w/tree", "--import")
    assert set(keys[3:]) == {f"/w/files/{name}" for name in made.files if name.startswith("keys/")}
    assert refresh[-1] == "refresh"
    assert install[-len(made.packages) :] == made.packages
    assert "--no-recommends" in install
    everything = " ".join((*keys, *refresh, *install))
    assert "--gpg-auto-import-keys" not in everything
    assert "--no-gpg-checks" not in everything


def test_zypper_reads_nothing_of_this_host():
    made = plan("opensuse")
    for command in made.commands[1:]:
        assert command.argv[:5] == (
            "zypper", "--config=/w/files/zypper.conf", "--root=/w/tree", "--reposd-dir=/w/files/repositories",
            "--non-interactive",
        )  # fmt: skip
        assert command.environment == {"HOME": "/w/files/home", "ZYPP_CONF": "/w/files/zypp.conf"}
    main = configuration(made, "zypp.conf")["main"]
    assert main["configdir"] == "/w/files/zypp"
    assert (main["solver.onlyRequires"], main["rpm.install.excludedocs"]) == ("true", "yes")
    assert main["download.connect_timeout"] == "30"


def test_zypper_checks_indexes_and_packages():
    parsed = configuration(plan("opensuse", os_version="15.6"), "repositories/rootfs-kit.repo")
    assert parsed.sections() == ["oss", "update-oss", "update-sle", "update-backports"]
    for section in parsed.values():
        if section.name != "DEFAULT":
            assert [section[key] for key in ("gpgcheck", "repo_gpgcheck", "pkg_gpgcheck")] == ["1", "1", "1"]


@pytest.mark.parametrize("name", RPM_DISTROS)
def test_without_a_mirror_there_is_no_plan(name: str):
    with pytest.raises(UsageError, match="names no mirror") as caught:
        plan(name, replace(SITE, mirror=None))
    assert "--mirror URL" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "version", "index"),
    [
        ("fedora", "44", "releases/44/Everything/x86_64/os/repodata/repomd.xml"),
        ("centos", "9", "9-stream/BaseOS/x86_64/os/repodata/repomd.xml"),
        ("azurelinux", "3.0", "3.0/prod/base/x86_64/repodata/repomd.xml"),
        ("opensuse", "tumbleweed", "tumbleweed/repo/oss/repodata/repomd.xml"),
    ],
)
def test_the_doctor_asks_a_mirror_for_the_first_repositorys_index(name: str, version: str, index: str):
    distro = find_distro(name)
    request = BuildRequest(Path("/out"), distro=name, arch="x86_64", os_version=version)
    assert find_backend(distro.backend).index(request, distro) == index
