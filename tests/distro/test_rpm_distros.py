"""What is known of Fedora, CentOS Stream, Azure Linux and openSUSE, and what that makes of a request."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfs_kit.axes import InitMode
from rootfs_kit.distro import Distro
from rootfs_kit.distro.search import distro_of, find_distro
from rootfs_kit.errors import UsageError
from rootfs_kit.mirrors import mirrors_of
from rootfs_kit.request import BuildRequest

NAMES = ("fedora", "centos", "azurelinux", "opensuse")
# What the suite asks of a guest, and the packages that bring it, whatever a distribution calls them.
NEEDED = ({"iptables", "iptables-nft"}, {"kmod"}, {"e2fsprogs"}, {"cryptsetup"}, {"chrony"}, {"bash"}, {"coreutils"})
BUSES = {"dbus", "dbus-1", "dbus-broker"}


@pytest.fixture(params=NAMES)
def distro(request: pytest.FixtureRequest) -> Distro:
    return find_distro(request.param)


def asked(distro: Distro, **knobs: object) -> BuildRequest:
    return BuildRequest(Path("/out"), distro=distro.name, **{"arch": "x86_64", **knobs})


def test_a_guest_has_what_the_suite_asks_for(distro: Distro):
    for release in distro.releases:
        with_systemd = set(distro.packages_for(asked(distro, os_version=release.name)))
        without = set(distro.packages_for(asked(distro, os_version=release.name, agent_init=True)))
        assert [names for names in NEEDED if not names & without] == []
        assert {"systemd"} == (with_systemd - without) & {"systemd"}
        assert (with_systemd - without) & BUSES
        assert not without & {"systemd", *BUSES}
        assert [name for name in without if name.endswith("-release")]


def test_both_init_modes_and_seccomp_are_there(distro: Distro):
    assert distro.init_modes == (InitMode.SYSTEMD, InitMode.AGENT)
    assert [name for name in distro.packages_for(asked(distro)) if name.startswith("libseccomp")]
    assert not [name for name in distro.packages_for(asked(distro, seccomp=False)) if name.startswith("libseccomp")]


def test_mirrors_are_reached_safely_and_have_every_release(distro: Distro):
    for machine in distro.architectures:
        for release in distro.releases:
            if machine in release.without_architectures:
                continue
            request = asked(distro, arch=machine, os_version=release.name)
            for mirror in mirrors_of(request, distro):
                assert mirror is not None
                assert mirror.startswith("https://")
                addresses = dict(distro.repositories_for(request, mirror)).values()
                assert addresses
                assert [each for each in addresses if "{" in each or "//" in each.removeprefix("https://")] == []


def test_nothing_that_systemd_or_a_console_reads_is_trimmed(distro: Distro):
    for kept in ("systemd", "dbus-1", "terminfo", "zoneinfo", "tabset", "pam.d", "polkit-1"):
        assert f"/usr/share/{kept}" not in distro.trim


def test_the_package_list_goes_only_after_the_manifest_was_written(distro: Distro):
    assert {"/usr/lib/sysimage/rpm", "/var/lib/rpm"} <= set(distro.databases)
    assert not {"/usr/lib/sysimage/rpm", "/var/lib/rpm"} & set(distro.trim)


def test_cbl_mariner_is_azure_linux():
    assert find_distro("cbl-mariner").name == "azurelinux"


@pytest.mark.parametrize("word", ["9", "9-stream", "stream9"])
def test_a_stream_goes_by_its_number_and_by_osbuilders_name(word: str):
    assert find_distro("centos").release(word).name == "9"


@pytest.mark.parametrize("os_release_id", ["opensuse-leap", "opensuse-tumbleweed"])
def test_a_tree_of_opensuse_is_known_by_either_id(os_release_id: str):
    found = distro_of(os_release_id)
    assert found is not None
    assert found.name == "opensuse"


def test_leap_16_brings_its_own_release_package():
    opensuse = find_distro("opensuse")
    assert "Leap-release" in opensuse.packages_for(asked(opensuse, os_version="16.0"))
    assert "openSUSE-release" in opensuse.packages_for(asked(opensuse, os_version="tumbleweed"))


def test_tumbleweeds_ports_are_not_offered():
    opensuse = find_distro("opensuse")
    with pytest.raises(UsageError, match="choosing the architecture of openSUSE tumbleweed"):
        opensuse.machine("aarch64", opensuse.release("tumbleweed"))
    assert opensuse.machine("aarch64", opensuse.release("16.0")) == "aarch64"


def test_selinux_is_refused_where_no_policy_is_known():
    with pytest.raises(UsageError, match="planning a build of Azure Linux with SELinux"):
        find_distro("azurelinux").require_support(asked(find_distro("azurelinux"), selinux=True))
    centos = find_distro("centos")
    assert "container-selinux" in centos.packages_for(asked(centos, selinux=True))


def test_tumbleweed_goes_by_its_id_whatever_the_days_number():
    opensuse = find_distro("opensuse")
    assert opensuse.release("tumbleweed").is_called("20261123")
    assert opensuse.release("tumbleweed").ids == ("opensuse-tumbleweed",)
    assert not opensuse.release("16.0").is_called("15.6")
