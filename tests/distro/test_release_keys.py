"""The keys of a [[release]] and of a [[key]] that set one release apart from the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfs_kit.distro import Distro
from rootfs_kit.distro.search import find_distro
from rootfs_kit.errors import UsageError
from rootfs_kit.request import BuildRequest

DESCRIPTION = """\
title = "Mine"
backend = "dnf"
default-release = "2"
init-modes = ["agent"]
ids = ["mine"]
signed-indexes = true

[[release]]
name = "2"
ids = ["mine-rolling"]
packages = ["mine-release"]
database = "/var/lib/rpm"

[[release]]
name = "1"

[[key]]
file = "keys/new"
fingerprint = "0123456789abcdef0123456789abcdef01234567"
releases = ["2"]

[[key]]
file = "keys/all"
fingerprint = "0123456789abcdef0123456789abcdef01234567"

[architectures]
x86_64 = "x86_64"

[packages]
base = ["bash"]
"""


def described(directory: Path, text: str = DESCRIPTION) -> Distro:
    (directory / "mine").mkdir()
    (directory / "mine/distro.toml").write_text(text)
    return find_distro("mine", [directory])


def test_what_belongs_to_one_release_is_left_out_of_the_others(tmp_path: Path):
    distro = described(tmp_path)
    old, new = (BuildRequest(tmp_path / "out", distro="mine", os_version=version) for version in ("1", "2"))
    assert distro.signed_indexes
    assert distro.packages_for(new) == ("mine-release", "bash")
    assert distro.packages_for(old) == ("bash",)
    assert distro.package_reasons(new)["mine-release"] == "every guest"
    assert [key.file.name for key in distro.keys_for(new)] == ["new", "all"]
    assert [key.file.name for key in distro.keys_for(old)] == ["all"]
    assert (distro.release("2").ids, distro.release("2").database) == (("mine-rolling",), "/var/lib/rpm")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("signed-indexes = true", 'signed-indexes = "yes"', "line 6: signed-indexes wants true or false"),
        ('"/var/lib/rpm"', '"var/lib/rpm"', 'line 12: "var/lib/rpm" is no path below'),
        ('packages = ["mine-release"]', "packages = 1", "line 11: packages wants a list of strings"),
    ],
)
def test_a_slip_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: str):
    with pytest.raises(UsageError) as caught:
        described(tmp_path, DESCRIPTION.replace(old, new, 1))
    assert told in caught.value.found
