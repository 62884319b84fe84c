"""Versions are ordered as the package managers themselves order them, and bounds are read as they would read them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rootfs_kit.errors import UsageError
from rootfs_kit.tree.packages.version import compare, satisfies
from tests.support.requirements import needs_program
from tests.tree_packages import real_tools

KINDS = ("dpkg", "rpm", "apk", "pacman")
FORKING = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])

WORDS = ["0", "1", "2", "10", "00", "01", "001", "9", "a", "b", "rc", "rc1", "alpha", "beta2", "pre", "git", "p1", "r1"]


def pairs_of(marks, alphabet, *, starts=("1",)):
    """Pairs of versions that begin alike and part somewhere, and now and then of any characters of the format."""
    tail = st.lists(st.tuples(st.sampled_from(marks), st.sampled_from(WORDS)), max_size=3).map(_joined)
    head = st.tuples(st.sampled_from(starts), tail).map("".join)
    alike = st.tuples(head, tail, tail).map(lambda parts: (parts[0] + parts[1], parts[0] + parts[2]))
    apart = st.tuples(*[st.tuples(st.sampled_from(starts), st.text(alphabet, max_size=8)).map("".join)] * 2)
    return st.one_of(alike, alike, apart)


def _joined(pairs):
    return "".join(mark + word for mark, word in pairs)


DPKG = pairs_of([".", "-", "~", "+", "~~", ""], "0129abz.+~-", starts=("1", "1:1", "0:0", "10"))
RPM = pairs_of([".", "..", "-", "~", "^", "+", "_", ""], "0129abz.~^+_-", starts=("1", "2:1", "0:0", "a", "~"))
PACMAN = pairs_of([".", "..", "-", "+", "_", ""], "0129abz.+_-", starts=("1", "2:1", "a", "0"))
APK = pairs_of([".", "_", "-r", "~", "", "_rc", "_git", "_p", "_alpha"], "0129abrz._-", starts=("1", "0", "1.2"))


@needs_program("dpkg")
@FORKING
@given(DPKG)
def test_dpkg_versions_are_ordered_as_dpkg_orders_them(pair):
    assume(not any(version.endswith("-") for version in pair))  # dpkg calls an empty revision an error
    assert compare("dpkg", *pair) == real_tools.dpkg_order(*pair)


@needs_program("rpm")
@FORKING
@given(st.lists(RPM, min_size=1, max_size=40))
def test_rpm_versions_are_ordered_as_rpm_orders_them(pairs):
    assert [compare("rpm", a, b) for a, b in pairs] == real_tools.rpm_orders(pairs)


@pytest.mark.skipif(real_tools.LIBALPM is None, reason="needs libalpm, pacman's library")
@settings(max_examples=2000)
@given(PACMAN)
def test_pacman_versions_are_ordered_as_pacman_orders_them(pair):
    assert compare("pacman", *pair) == real_tools.pacman_order(*pair)


@pytest.fixture(scope="module")
def alpine(tmp_path_factory):
    return real_tools.unpack_alpine(tmp_path_factory.mktemp("alpine"))


@FORKING
@given(APK)
def test_alpine_versions_are_ordered_as_apk_orders_them(alpine, pair):
    assume(not any(re.search("[0-9]{18}", version) for version in pair))  # apk refuses them
    assert compare("apk", *pair) == real_tools.apk_order(alpine, *pair)


RISING = {
    "dpkg": ["1.0~~", "1.0~beta1~svn1245", "1.0~beta1", "1.0", "1.0-0.1", "1.0-1", "1.0a", "1.0+b1", "1.10", "1:0.1"],
    "rpm": ["1.0~rc1", "1.0", "1.0^git1", "1.0.a", "1.0.1", "1.1-1", "1.1-2", "1.10-1", "1:0.1-1"],
    "apk": ["1.0_alpha1", "1.0_rc1", "1.0", "1.0-r0", "1.0_p1", "1.0a", "1.0.1", "1.01", "1.1", "1.1-r1", "1.1-r10"],
    "pacman": ["1.0a", "1.0beta", "1.0rc", "1.0", "1.0.a", "1.0.1", "1.1-1", "1.1-2", "1:0.1-1"],
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_format_has_its_own_order(kind):
    for older, newer in pairwise(RISING[kind]):
        assert compare(kind, older, newer) == -1, (older, newer)
        assert compare(kind, newer, older) == 1, (older, newer)


@pytest.mark.parametrize(
    ("kind", "a", "b"),
    [
        ("dpkg", "0:1.0", "1.0"),
        ("dpkg", "1.0", "1.0-0"),
        ("dpkg", "1.001", "1.1"),
        ("rpm", "1.0", "1_0"),
        ("rpm", "0:1.0", "1.0"),
        ("pacman", "1.0", "1.0-5"),
        ("apk", "1.2.3-r4", "1.2.3-r4"),
    ],
)
def test_two_spellings_of_one_version_are_equal(kind, a, b):
    assert compare(kind, a, b) == compare(kind, b, a) == 0


@given(st.sampled_from(KINDS), st.text(max_size=12), st.text(max_size=12))
def test_any_text_has_a_place_in_the_order(kind, a, b):
    assert compare(kind, a, a) == 0
    assert compare(kind, a, b) == -compare(kind, b, a)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_versions_cost_no_more_than_their_length(kind):
    long_number, long_dots = "9" * 200_000, "1." * 100_000
    assert compare(kind, long_number, long_number + "0") == -1
    assert compare(kind, long_dots + "1", long_dots + "2") == -1


@pytest.mark.parametrize(
    ("kind", "version", "bounds", "holds"),
    [
        ("dpkg", "1.8.11-2", ">= 1.8", True),
        ("dpkg", "1.8.11-2", ">= 1.8, < 1.9", True),
        ("dpkg", "2.0-1", ">= 1.8, < 1.9", False),
        ("dpkg", "1.2-1", "= 1.2", False),
        ("dpkg", "1.2-1", "= 1.2-1", True),
        ("dpkg", "1.2~rc1-1", "<< 1.2", True),
        ("rpm", "1.2-3", "= 1.2", True),
        ("rpm", "1.2-3", "> 1.2", False),
        ("rpm", "1.2-3", ">= 1.2-4", False),
        ("rpm", "1:1.2-3", "= 1.2", False),
        ("pacman", "1.2-3", "= 1.2", True),
        ("apk", "1.2-r3", ">=1.2", True),
        ("apk", "1.2_rc1-r0", ">=1.2", False),
        ("dpkg", "1.2-1", "!= 1.2-1", False),
    ],
)
def test_bounds_are_read_as_the_format_reads_a_dependency(kind, version, bounds, holds):
    assert satisfies(kind, version, bounds) is holds


@pytest.mark.parametrize("bounds", ["", "1.2", ">= ", ">= 1.2,", "=> 1.2", ">= 1.2 < 3", "newer than 1"])
def test_bounds_that_say_nothing_are_refused_with_an_example(bounds):
    with pytest.raises(UsageError, match=re.escape(">= 1.2, < 3")):
        satisfies("dpkg", "1.2", bounds)
