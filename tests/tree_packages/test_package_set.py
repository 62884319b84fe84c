"""A set of packages answers by name, by what a package provides, and says when it cannot know."""

from __future__ import annotations

import pytest

from rootfs_kit.errors import UsageError
from rootfs_kit.tree.packages import Package, PackageSet, Presence, Provided

POSTFIX = Package("postfix", "3.9-1", provides=(Provided("mail-transport-agent"), Provided("postfix", "3.9-1")))
KERNELS = (Package("kernel", "6.1-1"), Package("kernel", "6.12-1"))
IPTABLES = Package("iptables", "1.8.11-2", provides=(Provided("ip6tables", "1.8.11"),))


@pytest.fixture
def packages():
    return PackageSet("dpkg", "/var/lib/dpkg/status", [POSTFIX, *KERNELS, IPTABLES], rules="dpkg")


def test_it_is_a_mapping_of_names_to_packages(packages):
    assert list(packages) == ["postfix", "kernel", "iptables"]
    assert len(packages) == 3
    assert packages["iptables"] is IPTABLES
    assert packages.get("chrony") is None
    assert repr(packages) == "<PackageSet of 3 packages, asked of: dpkg>"


def test_a_package_is_also_found_by_what_it_provides(packages):
    assert "mail-transport-agent" in packages
    assert packages["mail-transport-agent"] is POSTFIX
    assert packages.provides("mail-transport-agent") == (POSTFIX,)
    assert packages.provides("postfix") == (), "every rpm provides itself, and stands in for nobody by that"


def test_all_packages_of_one_name_are_kept(packages):
    assert packages.every("kernel") == KERNELS
    assert packages["kernel"] is KERNELS[0]
    assert packages.every("mail-transport-agent") == ()


@pytest.mark.parametrize(
    ("name", "bounds", "answer"),
    [
        ("iptables", ">= 1.8, < 1.9", True),
        ("iptables", ">= 1.9", False),
        ("kernel", ">= 6.12", True),
        ("ip6tables", ">= 1.8", True),
        ("ip6tables", ">= 2", False),
        ("mail-transport-agent", ">= 1", None),
        ("chrony", ">= 1", None),
    ],
)
def test_versions_are_held_against_bounds_where_they_are_known(packages, name, bounds, answer):
    assert packages.satisfies(name, bounds) is answer


def test_bounds_that_cannot_be_understood_are_refused(packages):
    with pytest.raises(UsageError):
        packages.satisfies("iptables", "newest")


def test_what_a_complete_list_does_not_name_is_absent(packages):
    assert packages.answer("iptables") is Presence.INSTALLED
    assert packages.answer("mail-transport-agent") is Presence.INSTALLED
    assert packages.answer("chrony") is Presence.ABSENT


def test_of_an_incomplete_list_only_what_was_looked_for_is_absent():
    packages = PackageSet("files", None, [Package("chrony")], complete=False, absent=frozenset({"strace"}))
    assert packages.answer("chrony") is Presence.INSTALLED
    assert packages.answer("strace") is Presence.ABSENT
    assert packages.answer("tzdata") is Presence.UNKNOWN
    assert packages.satisfies("chrony", ">= 4") is None
