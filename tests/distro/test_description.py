"""A distro.toml is read strictly: what is missing, unknown or of the wrong type is told with its line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rootfs_kit.axes import InitMode
from rootfs_kit.distro import find_distro
from rootfs_kit.errors import UsageError

GOOD = """\
title = "Mine"
backend = "mmdebstrap"
default-release = "two"
init-modes = ["agent"]
keyrings = ["keys/mine.gpg"]

[[release]]
name = "one"
end-of-life = 2020-01-31
without-architectures = ["aarch64"]

[[release]]
name = "two"
version = "2"
aliases = ["new"]

[architectures]
x86_64 = "amd64"
aarch64 = "arm64"

[packages]
base = ["bash"]
features.seccomp = ["libseccomp"]

[trim]
paths = ["/usr/share/doc"]
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    directory = tmp_path / "mine"
    directory.mkdir()
    return directory


def load(directory: Path, text: str):
    (directory / "distro.toml").write_text(text)
    return find_distro(directory.name, [directory.parent])


def test_a_description_becomes_a_distribution(mine: Path):
    distro = load(mine, GOOD)
    assert (distro.name, distro.title, distro.backend) == ("mine", "Mine", "mmdebstrap")
    assert distro.init_modes == (InitMode.AGENT,)
    assert distro.release().name == "two"
    assert distro.release("one").end_of_life == date(2020, 1, 31)
    assert distro.machines(distro.release("one")) == ("x86_64",)
    assert distro.keyrings == (mine / "keys" / "mine.gpg",)
    assert distro.trim == ("/usr/share/doc",)
    assert distro.found_by == str(mine.parent)


@pytest.mark.parametrize(
    ("change", "to", "found"),
    [
        ('backend = "mmdebstrap"\n', "", 'line 1: the key "backend" is missing'),
        ('backend = "mmdebstrap"', "backend = 4", "line 2: backend wants a string with something in it, and holds"),
        ("init-modes", "init-mode", 'line 4: unknown key "init-mode"'),
        ('["agent"]', '["openrc"]', 'line 4: "openrc" is no init mode'),
        ('default-release = "two"', 'default-release = "six"', 'line 3: there is no [[release]] named "six"'),
        ("aliases", "alias", 'line 15: unknown key "alias"'),
        ("2020-01-31", '"2020-01-31"', "line 9: end-of-life wants a date such as 2028-06-30, and holds the string"),
        ("2020-01-31", "2020-01-31T00:00:00", "line 9: end-of-life wants a date"),
        ("[packages]", "[packages.init]\nopenrc = []\n[packages]", 'line 22: unknown key "openrc"'),
        ('["aarch64"]', '["arm64"]', 'line 10: "arm64" is not in [architectures]'),
        ('aarch64 = "arm64"', "aarch64 = 1", "line 19: aarch64 wants a string"),
        ("[architectures]", "[architecture]", 'line 17: unknown key "architecture"'),
        ('x86_64 = "amd64"\naarch64 = "arm64"\n', "", "line 17: [architectures] is missing or empty"),
        ('base = ["bash"]\n', "", 'line 21: the key "base" is missing'),
        ("features.seccomp", "features.secomp", 'line 23: unknown key "secomp"'),
        ('["/usr/share/doc"]', '["usr/share/doc"]', 'line 26: "usr/share/doc" is no path below'),
        ('["/usr/share/doc"]', '["/"]', 'line 26: "/" is no path below'),
        ('["/usr/share/doc"]', '["/usr"]', 'line 26: "/usr" is no path below'),
        ('["/usr/share/doc"]', '["/usr/share/../lib"]', "is no path below"),
        ("[packages]", "[packages", "line 21, column 10: expected ']'"),
    ],
)
def test_a_mistake_is_told_with_its_line(mine: Path, change: str, to: str, found: str):
    assert change in GOOD
    with pytest.raises(UsageError) as caught:
        load(mine, GOOD.replace(change, to))
    assert caught.value.doing == f"reading {mine / 'distro.toml'}"
    assert found in caught.value.found
    assert caught.value.hint


def test_an_unknown_key_gets_the_nearest(mine: Path):
    with pytest.raises(UsageError, match='Did you mean "aliases"'):
        load(mine, GOOD.replace("aliases", "alias"))
