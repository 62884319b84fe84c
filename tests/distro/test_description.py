"""A distro.toml is read strictly: what is missing, unknown or of the wrong type is told with its line."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from rootfs_kit.axes import InitMode
from rootfs_kit.distro import Builder, SigningKey
from rootfs_kit.distro.search import find_distro
from rootfs_kit.errors import UsageError
from rootfs_kit.mirrors import mirrors_of
from rootfs_kit.request import BuildRequest

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
        ('backend = "mmdebstrap"', 'backend = "nope"', 'line 2: there is no backend "nope"'),
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


PLACES = """
aliases = ["my-linux"]
ids = ["mine-stable", "mine-rolling"]
mirrors = ["https://mirror.example/{release}"]

[architecture-mirrors]
aarch64 = ["https://ports.example/{release}"]

[[repository]]
name = "main"
path = "v{version}/main/{arch}"

[[key]]
file = "keys/mine.pub"
fingerprint = "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567"

[builder]
image = "mine:{version}"
install = "pm install {packages}"
packages = ["pm-tools"]

[[release]]
name = "one"
"""


def test_mirrors_repositories_keys_and_builder_are_read(mine: Path):
    distro = load(mine, GOOD.replace('[[release]]\nname = "one"\n', PLACES, 1))
    request = BuildRequest(mine / "out", arch="aarch64")
    assert (distro.aliases, distro.os_release_ids) == (("my-linux",), ("mine-stable", "mine-rolling"))
    assert mirrors_of(request, distro) == ("https://ports.example/two",)
    assert mirrors_of(replace(request, arch="x86_64"), distro) == ("https://mirror.example/two",)
    assert mirrors_of(replace(request, mirror="http://m.example"), distro) == ("http://m.example",)
    assert distro.repositories_for(request, "http://m.example/") == (("main", "http://m.example/v2/main/arm64"),)
    assert distro.keys == (SigningKey(mine / "keys/mine.pub", "0123456789abcdef" * 2 + "01234567"),)
    assert distro.builder == Builder("mine:{version}", "pm install {packages}", ("pm-tools",))
    assert find_distro("my-linux", [mine.parent]).name == "mine"


def test_a_backend_gets_the_nearest(mine: Path):
    with pytest.raises(UsageError, match='Did you mean "mmdebstrap"'):
        load(mine, GOOD.replace('"mmdebstrap"', '"debstrap"'))
    with pytest.raises(UsageError, match="There are: apk, dnf, "):
        load(mine, GOOD.replace('"mmdebstrap"', '"nope"'))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("https://mirror.example/{release}", "http://{foo}/x", r'line 10: {foo} in "http://{foo}/x" is a placeholder'),
        ("https://ports.example/{release}", "http://{}/x", r'line 13: {} in "http://{}/x" is a placeholder'),
        ("https://mirror.example/{release}", "{release", r'line 10: "{release" has a brace without its other half'),
        ("https://mirror.example/{release}", "{release.name}", r"line 10: {release.name} in .* is a placeholder"),
        ("https://mirror.example/{release}", "{arch!r}", r"line 10: .* more than a name in its braces"),
        ("ids = [", 'suites = ["{realease}-updates"]\nids = [', r"line 9: {realease} in .* is a placeholder"),
        ("v{version}/main/{arch}", "{verion}/main", r"line 17: {verion} in .* is a placeholder"),
        ("mine:{version}", "mine:{verion}", r"line 24: {verion} in .* is a placeholder"),
    ],
)
def test_a_placeholder_that_nothing_fills_in_is_told_with_its_line(mine: Path, old: str, new: str, told: str):
    text = GOOD.replace('[[release]]\nname = "one"\n', PLACES, 1)
    assert old in text
    with pytest.raises(UsageError, match=told) as caught:
        load(mine, text.replace(old, new, 1))
    assert caught.value.doing == f"reading {mine / 'distro.toml'}"
    assert caught.value.hint == "The placeholders are {release}, {version} and {arch}."


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("v{version}/main/{arch}", "v{verion}/main", "placeholder"),
        ("0123 4567 89AB CDEF 0123", "0123", "fingerprint"),
        ("aarch64 = [", "aarch46 = [", "unknown key"),
    ],
)
def test_a_slip_in_them_is_told(mine: Path, old: str, new: str, told: str):
    text = GOOD.replace('[[release]]\nname = "one"\n', PLACES, 1)
    with pytest.raises(UsageError, match=told):
        load(mine, text.replace(old, new, 1))
