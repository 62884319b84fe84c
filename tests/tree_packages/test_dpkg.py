"""dpkg's status file is read as dpkg reads it: what is installed, what only sounds like it, and what is damage."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.packages import Presence, Provided
from rootfs_kit.tree.packages.dpkg import parse_status
from tests.support.requirements import needs_program, needs_root
from tests.support.trees import write

HOST_STATUS = Path("/var/lib/dpkg/status")
QUERY = "${Package}|${Version}|${Architecture}|${Status}|${source:Package}|${source:Version}|${Installed-Size}\n"


def stanza(name="chrony", status="install ok installed", version="4.5-1", more=""):
    return f"Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\n{more}\n"


def packages_of(tmp_path, *stanzas):
    write(tmp_path, "var/lib/dpkg/status", "".join(stanzas))
    return open_rootfs(tmp_path).packages


@needs_program("dpkg-query")
@pytest.mark.skipif(not HOST_STATUS.exists(), reason="needs a host with a dpkg database")
def test_a_real_status_file_is_read_as_dpkg_query_reads_it():
    expected = subprocess.run(["dpkg-query", "-W", "-f", QUERY], capture_output=True, text=True, check=True).stdout
    found = sorted(
        f"{package.name}|{package.version}|{package.architecture}|{package.status}|{package.source}"
        f"|{package.source_version}|{'' if package.installed_size is None else package.installed_size // 1024}"
        for package in parse_status(HOST_STATUS.read_bytes(), "/var/lib/dpkg/status")
    )
    assert found == sorted(expected.splitlines())


@pytest.fixture
def dpkg_root(tmp_path):
    """A tree that dpkg itself works on: packages installed, held, removed with their settings left, and unpacked."""
    root = tmp_path / "rootfs"
    (root / "var/lib/dpkg/info").mkdir(parents=True)
    (root / "var/lib/dpkg/updates").mkdir()
    for empty in ("status", "available"):
        write(root, f"var/lib/dpkg/{empty}")
    debs = {name: _deb(tmp_path, name) for name in ("kept", "held", "removed", "unpacked", "purged")}
    dpkg = ["dpkg", f"--root={root}", "--log=/dev/null", "--force-all"]
    _run(*dpkg, "-i", *[deb for name, deb in debs.items() if name != "unpacked"])
    _run(*dpkg, "--unpack", debs["unpacked"])
    _run(*dpkg, "-r", "removed")
    _run(*dpkg, "-P", "purged")
    _run(*dpkg, "--set-selections", given="held hold\nkept deinstall\n")
    return root


def _deb(tmp_path, name):
    package = tmp_path / name
    write(package, f"etc/{name}.conf", "a setting\n")
    write(package, "DEBIAN/conffiles", f"/etc/{name}.conf\n")
    control = f"Package: {name}\nVersion: 1.0-1\nArchitecture: all\nMaintainer: nobody <nobody@mirror.example>\n"
    write(package, "DEBIAN/control", control + f"Description: made\nProvides: virtual-{name} (= 2.0), bare\n")
    _run("dpkg-deb", "--root-owner-group", "-b", package, tmp_path / f"{name}.deb")
    return tmp_path / f"{name}.deb"


def _run(*command, given=None):
    words = [str(word) for word in command]
    done = subprocess.run(words, input=given or "", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@needs_program("dpkg", "dpkg-deb")
@needs_root()
def test_every_state_that_dpkg_leaves_a_package_in_is_understood(dpkg_root):
    packages = open_rootfs(dpkg_root).packages
    assert {name: packages[name].status for name in packages} == {
        "held": "hold ok installed",
        "kept": "deinstall ok installed",
    }
    assert [packages.answer(name) for name in ("removed", "unpacked", "purged")] == [Presence.ABSENT] * 3
    assert packages["held"].provides == (Provided("virtual-held", "2.0"), Provided("bare"))
    assert {package.name for package in packages.provides("bare")} == {"held", "kept"}


@pytest.mark.parametrize(
    ("status", "installed"),
    [
        ("install ok installed", True),
        ("hold ok installed", True),
        ("install ok triggers-pending", True),
        ("install ok half-installed", False),
        ("install ok not-installed", False),
        ("deinstall ok config-files", False),
        ("install ok unpacked", False),
        ("install ok half-configured", False),
        ("install reinstreq installed", False),
    ],
)
def test_only_a_package_that_is_configured_without_error_is_installed(tmp_path, status, installed):
    packages = packages_of(tmp_path, stanza("base-files"), stanza("chrony", status))
    assert packages.answer("chrony") is (Presence.INSTALLED if installed else Presence.ABSENT)


def test_what_the_fields_say_is_kept(tmp_path):
    more = (
        "Source: glibc (2.41-12)\nInstalled-Size: 13\nProvides: libc-dev (= 6), plain,\n folded:any (= 1:2)\nX: y\n z\n"
    )
    package = packages_of(tmp_path, stanza("libc6", version="2.41-12+b1", more=more))["libc6"]
    assert (package.source, package.source_version) == ("glibc", "2.41-12")
    assert package.installed_size == 13 * 1024
    assert package.provides == (Provided("libc-dev", "6"), Provided("plain"), Provided("folded", "1:2"))


def test_what_dpkg_does_not_say_is_left_open(tmp_path):
    package = packages_of(tmp_path, stanza(more="Installed-Size: many\n"))["chrony"]
    assert package.installed_size is None
    assert (package.source, package.source_version) == ("chrony", "4.5-1")


def test_both_architectures_of_one_package_are_kept(tmp_path):
    foreign = stanza("libc6").replace("amd64", "arm64")
    packages = packages_of(tmp_path, stanza("libc6"), foreign)
    assert [package.architecture for package in packages.every("libc6")] == ["amd64", "arm64"]
    assert len(packages) == 1


def test_names_of_fields_are_not_case_sensitive(tmp_path):
    packages = packages_of(tmp_path, stanza().replace("Package:", "PACKAGE:").replace("Status:", "status:"))
    assert "chrony" in packages


def test_distroless_images_are_read_from_their_directory(tmp_path):
    write(tmp_path, "var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12.4\nArchitecture: amd64\n")
    write(tmp_path, "var/lib/dpkg/status.d/base.md5sums", "d41d8cd98f00b204e9800998ecf8427e  etc/nothing\n")
    write(tmp_path, "var/lib/dpkg/status.d/tzdata", stanza("tzdata", "deinstall ok config-files"))
    packages = open_rootfs(tmp_path).packages
    assert (packages.method, packages.source_path) == ("dpkg-status.d", "/var/lib/dpkg/status.d")
    assert dict(packages).keys() == {"base-files"}
    assert packages.rules == "dpkg"


def test_a_status_file_of_no_bytes_lists_nothing(tmp_path):
    assert packages_of(tmp_path, "").method == "unknown"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (stanza() + "Package: e2fsprogs\nStatus: install ok inst", "line 7 has no end: the file was cut short"),
        (stanza() + "Package: e2fsprogs\n", "the entry at line 6, 'e2fsprogs', has no Status"),
        (stanza() + "\0" * 4096, "line 6 holds NUL bytes"),
        (stanza() + "no field at all\n", "line 6 is neither a field nor the continuation of one: 'no field at all'"),
        (stanza() + " continued\n", "line 6 continues a field, and none is open"),
        (stanza() + stanza().replace("Package: chrony\n", ""), "the entry at line 6 has no name"),
        (stanza("two words"), "the entry at line 1 has no name"),
        (stanza(version=""), "the entry at line 1, 'chrony', is installed and has no Version"),
        (stanza(status="install ok"), "has the Status 'install ok': three words of dpkg"),
        (stanza(status="install ok instaled"), "has the Status 'install ok instaled'"),
        (stanza(more="Version: 4.6-1\n"), "line 5 gives Version for the second time"),
        (stanza() + "\x1b[31mred\n", "line 6 is neither a field nor the continuation of one: '\\x1b[31mred'"),
    ],
)
def test_damage_is_told_with_its_line_and_never_taken_for_a_missing_package(tmp_path, content, words):
    with pytest.raises(CouldNotLook) as caught:
        packages_of(tmp_path, content)
    assert caught.value.doing == "reading the package database /var/lib/dpkg/status"
    assert words in caught.value.found


def test_a_status_file_whose_link_goes_round_is_damage(tmp_path):
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").symlink_to("status")
    with pytest.raises(CouldNotLook, match="loop"):
        _ = open_rootfs(tmp_path).packages


def test_a_status_file_that_never_ends_is_not_read(tmp_path):
    place = write(tmp_path, "var/lib/dpkg/status")
    with place.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(CouldNotLook, match="1099511627776 bytes"):
        _ = open_rootfs(tmp_path).packages
