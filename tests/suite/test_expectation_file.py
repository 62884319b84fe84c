"""Expectations are read strictly: whatever would silently assert nothing is refused, with its line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rootfs_kit.errors import UsageError
from rootfs_kit.suite.expectation import Expectation, ExpectedFile, ExpectedPackage, Waiver
from rootfs_kit.suite.expectation_file import expectation_of, read_expectation
from tests.suite.conftest import CHECKOUT

EVERYTHING = """
profile = "systemd,modules"
distro = "debian"
release = "trixie"
arch = "amd64"
kernel = "6.12.48"
modules = ["virtiofs"]
units = ["chronyd.service"]
setuid = ["/usr/bin/su"]
size-budget = "300 MiB"

[packages]
chrony = ">= 4, < 5"
kmod = "30-1"
strace = "absent"
systemd = "*"

[files."/etc/resolv.conf"]
mode = "0644"
owner = "0:0"
sha256 = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
pattern = "^$"

[files."/etc/hostname"]
absent = true

[[waivers]]
check = "NET-02"
path = "/etc/host*"
reason = "until the builder is mended"
until = 2030-01-31
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "expect.toml"


def refused(file: Path, text: str) -> UsageError:
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        read_expectation(file)
    return raised.value


def test_everything_that_can_be_expected(file: Path) -> None:
    file.write_text(EVERYTHING)
    expectation = read_expectation(file)
    assert (expectation.profile, expectation.distro, expectation.release) == ("systemd,modules", "debian", "trixie")
    assert (expectation.arch, expectation.kernel) == ("x86_64", "6.12.48")
    assert (expectation.modules, expectation.units) == (("virtiofs",), ("chronyd.service",))
    assert expectation.setuid == frozenset({"/usr/bin/su"})
    assert expectation.size_budget == 300 * 1024 * 1024
    assert [(package.name, str(package.bounds), package.absent) for package in expectation.packages] == [
        ("chrony", ">= 4, < 5", False),
        ("kmod", "= 30-1", False),
        ("strace", "of any version", True),
        ("systemd", "of any version", False),
    ]
    absent, resolver = expectation.files
    assert absent == ExpectedFile("/etc/hostname", absent=True)
    assert (resolver.mode, resolver.owner, resolver.pattern) == (0o644, (0, 0), "^$")
    assert resolver.sha256 is not None and resolver.sha256.startswith("e3b0c442")
    waiver = Waiver("NET-02", "until the builder is mended", date(2030, 1, 31), "/etc/host*", line=28)
    assert expectation.waivers == (waiver,)


@pytest.mark.parametrize(
    ("text", "found", "hint"),
    [
        ('distro = "debian"\nprofil = "systemd"', 'line 2: unknown key "profil"', 'Did you mean "profile"?'),
        ("\nmodules = []", "line 2: modules is an empty list, which asserts nothing", "remove modules"),
        ("units = []", "line 1: units is an empty list, which asserts nothing", "remove units"),
        ("[packages]", "line 1: [packages] is empty, and asserts nothing", "remove [packages]"),
        ("[files]", "line 1: [files] is empty, and asserts nothing", "remove [files]"),
        ("setuid = []", "line 1: setuid is an empty list", 'setuid = "none"'),
        ("size-budget = true", "line 1: size-budget wants a number of bytes", "Correct"),
        ('size-budget = "3 elephants"', "line 1: size-budget wants a number of bytes", "Correct"),
        ('profile = "systemd,overly"', '"overly" is no profile', 'Did you mean "overlay"?'),
        ('[packages]\nchrony = ">> "', "line 2:", "absent"),
        ("[packages]\nchrony = 4", "line 2: chrony wants a string", "Correct"),
        ('[files."etc/x"]\nmode = "0644"', 'line 1: "etc/x" is no path of the guest', '"/etc/x"'),
        ('[files."/etc/x"]\nmod = "0644"', 'line 2: unknown key "mod"', 'Did you mean "mode"?'),
        ('[files."/etc/x"]\nmode = 420', "line 2: mode wants an octal string", "Correct"),
        ('[files."/etc/x"]\nowner = "root:root"', "line 2: owner wants user and group by number", "Correct"),
        ('[files."/etc/x"]\nsha256 = "abc"', "line 2: sha256 wants 64 hexadecimal digits", "Correct"),
        ('[files."/etc/x"]\npattern = "("', "line 2: this is no regular expression", "Correct"),
        ('[files."/etc/x"]\nabsent = true\nmode = "0644"', "line 2: a file that must be absent", "Remove"),
        ('[[waivers]]\ncheck = "NET-01"\nreason = "x"', "line 1: the waiver of NET-01 has no end", "until ="),
        ('[[waivers]]\ncheck = "NET-01"\nuntil = 2030-01-01', 'line 1: the key "reason" is missing', "Add reason"),
        (
            '[[waivers]]\ncheck = "NET-01"\nreason = "x"\nuntil = "2030-01-01"',
            "line 4: until wants a date",
            "Correct",
        ),
        ("distro = debian", "line 1, column", "Correct"),
    ],
)
def test_mistake_is_named_with_its_line(file: Path, text: str, found: str, hint: str) -> None:
    error = refused(file, text)
    assert found in f"{error.doing}: {error.found}"
    assert hint in error.hint


def test_documented_example_is_right(file: Path) -> None:
    text = (CHECKOUT / "docs/checking.md").read_text()
    file.write_text(text.partition("```toml\n")[2].partition("```")[0])
    expectation = read_expectation(file)
    unset = [name for name, value in expectation._asdict().items() if value in (None, ())]
    assert unset == [], "the example shows every key"


def test_no_setuid_at_all_is_an_expectation(file: Path) -> None:
    file.write_text('setuid = "none"')
    expectation = read_expectation(file)
    assert expectation.setuid == frozenset()
    assert expectation.asks_for("setuid")
    assert not expectation.asks_for("packages") and not Expectation().asks_for("setuid")


def test_pyproject_of_the_project_holds_expectations_too(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.rootfs-kit]\nunits = ["a.service"]\n[tool.rootfs-kit.packages]\na = "*"\n'
    )
    expectation = expectation_of(None, tmp_path)
    assert expectation is not None
    assert expectation.units == ("a.service",)
    assert expectation.packages == (ExpectedPackage("a"),)


@pytest.mark.parametrize("text", ["", '[project]\nname = "rootfs-kit-user"\n', '[tool.other]\nx = "rootfs-kit"\n'])
def test_pyproject_without_expectations_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert expectation_of(None, tmp_path) is None


def test_file_that_is_named_beats_pyproject(tmp_path: Path, file: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.rootfs-kit]\nunits = ["a.service"]\n')
    file.write_text('units = ["b.service"]')
    expectation = expectation_of(file, tmp_path)
    assert expectation is not None and expectation.units == ("b.service",)
