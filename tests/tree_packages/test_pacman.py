"""pacman's local database, made by pacman itself, and damaged by hand."""

from __future__ import annotations

import subprocess
import tarfile

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.packages import Presence, Provided
from tests.support.requirements import needs_program, needs_root
from tests.support.trees import write

DESC = "%NAME%\nchrony\n\n%VERSION%\n4.5-1\n\n%BASE%\nchrony\n\n%ARCH%\nx86_64\n\n%SIZE%\n123456\n"
CHRONY = "var/lib/pacman/local/chrony-4.5-1/desc"
INFO = (
    "pkgname = {name}\npkgbase = made\npkgver = {version}\npkgdesc = made\nbuilddate = 1700000000\npackager = nobody\n"
)


def packed(tmp_path, name, version, more):
    info = write(tmp_path, f"{name}/.PKGINFO", INFO.format(name=name, version=version) + more)
    file = write(tmp_path, f"{name}/content", "made\n")
    package = tmp_path / f"{name}-{version}-any.pkg.tar.gz"
    with tarfile.open(package, "w:gz") as archive:
        archive.add(info, ".PKGINFO")
        archive.add(file, f"usr/share/{name}")
    return package


@needs_program("pacman")
@needs_root()
def test_a_database_that_pacman_made_is_read_as_pacman_reads_it(tmp_path):
    sized = "size = 123456\narch = any\nprovides = ntp-client=4.5\nprovides = time-daemon\n"
    archives = [packed(tmp_path, "chrony", "2:4.5-1", sized), packed(tmp_path, "base", "3-2", "size = 0\narch = any\n")]
    root = tmp_path / "rootfs"
    (root / "var/lib/pacman").mkdir(parents=True)
    settings = write(tmp_path, "pacman.conf", "[options]\nArchitecture = auto\nLocalFileSigLevel = Never\n")
    pacman = ["pacman", "--config", settings, "--root", root, "--dbpath", root / "var/lib/pacman"]
    places = [word for name in ("cachedir", "hookdir", "gpgdir") for word in (f"--{name}", tmp_path / name)]
    run = [str(word) for word in [*pacman, *places, "--logfile", tmp_path / "log", "--noconfirm"]]
    subprocess.run([*run, "-U", *map(str, archives)], check=True, capture_output=True)
    listed = subprocess.run([*run, "-Q"], check=True, capture_output=True, text=True).stdout
    packages = open_rootfs(root).packages
    assert sorted(f"{package.name} {package.version}" for package in packages.values()) == sorted(listed.splitlines())
    assert (packages.method, packages.source_path, packages.rules) == ("pacman", "/var/lib/pacman/local", "pacman")
    chrony = packages["chrony"]
    assert (chrony.architecture, chrony.source, chrony.installed_size) == ("any", "made", 123456)
    assert chrony.provides == (Provided("ntp-client", "4.5"), Provided("time-daemon"))
    assert packages["base"].installed_size == 0
    assert packages.answer("iptables") is Presence.ABSENT


def test_the_version_of_the_database_is_no_package(tmp_path):
    write(tmp_path, CHRONY, DESC)
    write(tmp_path, "var/lib/pacman/local/ALPM_DB_VERSION", "9\n")
    assert list(open_rootfs(tmp_path).packages) == ["chrony"]


def test_a_package_without_a_description_is_damage(tmp_path):
    write(tmp_path, CHRONY, DESC)
    write(tmp_path, "var/lib/pacman/local/iptables-1.8-1/files", "%FILES%\n")
    with pytest.raises(CouldNotLook, match=r"local/iptables-1\.8-1: the package has no desc"):
        _ = open_rootfs(tmp_path).packages


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (DESC[:-3], "line 14 has no end"),
        ("chrony\n" + DESC, "line 1 stands under no heading: 'chrony'"),
        (DESC.replace("%NAME%\nchrony\n\n", ""), "it has no %NAME%"),
        (DESC.replace("4.5-1\n", ""), "it has no %VERSION%"),
    ],
)
def test_damage_is_told_with_its_place(tmp_path, content, words):
    write(tmp_path, CHRONY, content)
    with pytest.raises(CouldNotLook, match=words):
        _ = open_rootfs(tmp_path).packages
