"""One test for each package, unit, file, module and kernel that this rootfs is about: in order, named, waivable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rootfs_kit.suite.detect import decide_profile
from rootfs_kit.suite.expectation import NOTHING_EXPECTED, Expectation, ExpectedPackage
from rootfs_kit.suite.profile import parse_profile
from rootfs_kit.suite.requirements import known_distro, nothing_requires_packages, required_packages
from rootfs_kit.tree import open_rootfs
from tests.suite.conftest import Pytest

MINE = """
def test_version(rootfs, module_version): assert rootfs.exists(f"/lib/modules/{module_version}")
def test_package(rootfs, required_package): assert required_package.name
def test_unit(rootfs, required_unit): assert required_unit.name
def test_file(rootfs, expected_file): assert expected_file.path
def test_module(rootfs, expected_module): assert expected_module
def test_plain(rootfs): pass
"""
EXPECTED = """
modules = ["zzz", "aaa"]
units = ["z.service", "a.service"]
[packages]
zzz = "*"
aaa = "*"
nnn = "absent"
[files."/etc/z"]
mode = "0644"
[files."/etc/a"]
absent = true
"""


@pytest.fixture
def mine(here: Path) -> str:
    (here / "test_mine.py").write_text(MINE)
    return "test_mine.py"


def required(root: Path, expectation: Expectation = NOTHING_EXPECTED) -> list[tuple[str, str]]:
    tree = open_rootfs(root)
    profile = decide_profile(parse_profile("systemd"), tree)
    return [(package.name, package.required_by) for package in required_packages(tree, profile, expectation)]


def ids(text: str) -> list[str]:
    return [line.partition("::")[2] for line in text.splitlines() if line.startswith("test_mine.py::")]


def test_items_are_sorted_and_named(run: Pytest, rootfs_dir: Path, here: Path, mine: str) -> None:
    for version in ("6.1.0-b", "6.1.0-a"):
        (rootfs_dir / "usr/lib/modules" / version).mkdir(parents=True)
    (here / "expect.toml").write_text(EXPECTED)
    ended = run(f"--rootfs={rootfs_dir}", "--rootfs-expect=expect.toml", "--co", "-q", mine)
    assert ids(ended.text) == [
        "test_version[6.1.0-a]", "test_version[6.1.0-b]", "test_package[aaa]", "test_package[zzz]",
        "test_unit[a.service]", "test_unit[z.service]", "test_file[/etc/a]", "test_file[/etc/z]",
        "test_module[aaa]", "test_module[zzz]", "test_plain",
    ]  # fmt: skip
    assert run(f"--rootfs={rootfs_dir}", "--rootfs-expect=expect.toml", mine).status == 0


def test_nothing_to_ask_for_is_no_test(run: Pytest, rootfs_dir: Path, mine: str) -> None:
    assert ids(run(f"--rootfs={rootfs_dir}", "--co", "-q", mine).text) == ["test_plain"]


def test_items_that_cannot_be_found_out_are_not_passed_over(run: Pytest, rootfs_dir: Path, mine: str) -> None:
    (rootfs_dir / "var/lib/osbuilder").mkdir(parents=True)
    (rootfs_dir / "var/lib/osbuilder/manifest.json").write_text("{")
    ended = run(f"--rootfs={rootfs_dir}", "-v", mine)
    assert ended.status == 1
    assert ended.lines_with("test_package[unknown] UNKNOWN")
    assert ended.lines_with("could not look: reading /var/lib/osbuilder/manifest.json")


def test_more_items_than_any_guest_has_are_refused(run: Pytest, rootfs_dir: Path, mine: str) -> None:
    for number in range(5001):
        (rootfs_dir / f"usr/lib/modules/{number}").mkdir(parents=True)
    ended = run(f"--rootfs={rootfs_dir}", "-v", mine)
    assert ended.lines_with("test_version[too-many] UNKNOWN")
    assert ended.lines_with("there are 5001")


def test_packages_come_from_the_description_of_the_distribution(rootfs_dir: Path) -> None:
    (rootfs_dir / "etc/os-release").write_text("ID=debian\n")
    found = dict(required(rootfs_dir))
    assert found["systemd"] == found["chrony"] == "the description of Debian"
    assert "ca-certificates" not in found, "confidential guests only"


def test_what_was_asked_for_in_the_manifest_is_required(rootfs_dir: Path) -> None:
    (rootfs_dir / "var/lib/osbuilder").mkdir(parents=True)
    document = {"packages": {"method": "dpkg", "requested": ["strace"], "installed": []}}
    (rootfs_dir / "var/lib/osbuilder/manifest.json").write_text(json.dumps(document))
    assert required(rootfs_dir) == [("strace", "the manifest")]


def test_expectations_beat_what_the_distribution_needs(rootfs_dir: Path) -> None:
    (rootfs_dir / "etc/os-release").write_text("ID=debian\n")
    expectation = Expectation(packages=(ExpectedPackage("kmod"), ExpectedPackage("chrony", absent=True)))
    found = dict(required(rootfs_dir, expectation))
    assert found["kmod"] == "the expectations"
    assert "chrony" not in found


def summary(root: Path, name: str) -> None:
    (root / "var/lib/osbuilder").mkdir(parents=True, exist_ok=True)
    (root / "var/lib/osbuilder/osbuilder.yaml").write_text(f'base-distro:\n  name: "{name}"\n')


def manifest(root: Path, name: str) -> None:
    (root / "var/lib/osbuilder").mkdir(parents=True, exist_ok=True)
    (root / "var/lib/osbuilder/manifest.json").write_text(json.dumps({"distro": {"name": name}}))


@pytest.mark.parametrize("os_release", ["", "ID=made\n"], ids=["none", "unknown"])
@pytest.mark.parametrize("say", [summary, manifest])
@pytest.mark.parametrize(("name", "known"), [("debian", "Debian"), ("opensuse", "openSUSE"), ("made", None)])
def test_who_built_the_rootfs_says_what_os_release_does_not(
    rootfs_dir: Path, os_release: str, say: Callable[[Path, str], None], name: str, known: str | None
) -> None:
    (rootfs_dir / "etc/os-release").write_text(os_release)
    say(rootfs_dir, name)
    distro = known_distro(open_rootfs(rootfs_dir))
    assert (distro is None) == (known is None)
    assert distro is None or distro.title.startswith(str(known))


def test_os_release_beats_who_built_the_rootfs(rootfs_dir: Path) -> None:
    (rootfs_dir / "etc/os-release").write_text("ID=alpine\n")
    summary(rootfs_dir, "debian")
    distro = known_distro(open_rootfs(rootfs_dir), "fedora")
    assert distro is not None and distro.name == "alpine"


@pytest.mark.parametrize(
    ("expectation", "unknown"),
    [
        (NOTHING_EXPECTED, True),
        (Expectation(distro="made"), True),
        (Expectation(packages=(ExpectedPackage("telnetd", absent=True),)), True),
        (Expectation(packages=(ExpectedPackage("chrony"),)), False),
        (Expectation(distro="debian"), False),
    ],
)
def test_packages_that_nobody_requires_are_not_passed_over(
    rootfs_dir: Path, expectation: Expectation, unknown: bool
) -> None:
    assert nothing_requires_packages(open_rootfs(rootfs_dir), expectation) is unknown
    assert (required(rootfs_dir, expectation) == []) is unknown
    manifest(rootfs_dir, "debian")
    assert not nothing_requires_packages(open_rootfs(rootfs_dir), expectation)


@pytest.mark.parametrize("name", ["unheard-of", "../distros/debian", "/tmp/evil", "DEBIAN", "", "a" * 99, "\x1b[0m"])
def test_rootfs_cannot_choose_a_description_on_this_host(rootfs_dir: Path, tmp_path: Path, name: str) -> None:
    (rootfs_dir / "etc/os-release").write_text(f'ID="{name}"\n')
    assert known_distro(open_rootfs(rootfs_dir)) is None
    manifest(rootfs_dir, name)
    summary(rootfs_dir, name.replace("\x1b", "").replace("DEBIAN", ".."))
    assert known_distro(open_rootfs(rootfs_dir)) is None
