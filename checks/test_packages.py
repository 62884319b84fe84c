"""Packages: whether what the guest needs was really installed, read without a package manager."""

from __future__ import annotations

import re
from datetime import date

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.suite.anatomy import manifest
from rootfs_kit.suite.check import ERROR, FULL, INFO, WARN, Finding, check, report, require
from rootfs_kit.suite.expectation import Expectation, today
from rootfs_kit.suite.requirements import RequiredPackage, known_distro, nothing_requires_packages
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.packages import Presence

CACHES = ("/var/cache/apt/archives", "/var/lib/apt/lists", "/var/cache/apk", "/var/cache/dnf", "/var/cache/zypp")
MACHINE_SECRETS = (
    "/etc/hostid", "/etc/machine-info", "/var/lib/dbus/machine-id", "/var/lib/systemd/credential.secret",
    "/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed", "/etc/iscsi/initiatorname.iscsi",
)  # fmt: skip
BUILD_TOOLS = ("gcc", "cc1", "clang", "rustc", "cargo", "go", "make", "cmake")
DPKG_STATUS = "/var/lib/dpkg/status"
NAME = re.compile(r"^Package: (\S+)$", re.MULTILINE)
HALF_INSTALLED = re.compile(
    r"^Status: \S+ \S+ (half-installed|unpacked|half-configured|triggers-awaited)$", re.MULTILINE
)
HOST_KEYS = "/etc/ssh"


@check("PKG-01", severity=ERROR, content=FULL, source="rootfs.sh:693-695 wipes /var/lib, and with it dpkg's database")
def test_required_package_is_installed(rootfs: RootfsTree, required_package: RequiredPackage) -> None:
    """Guards against a guest without a package that Kata's agent or the gate's expectations need.

    Asked of the package manager's database; where that was dropped, of rootfs-kit's manifest; where there is
    neither, of the files that the package is known by. The finding says which of them answered.
    """
    packages = rootfs.packages
    answer = packages.answer(required_package.name)
    if answer is Presence.UNKNOWN:
        raise CouldNotLook(
            f"looking for the package {required_package.name}",
            f"the rootfs has no package database and no manifest (method: {packages.method})",
            "Judge the rootfs before its database is dropped, or keep rootfs-kit's manifest in it.",
        )
    require(
        answer is Presence.INSTALLED,
        packages.source_path or "/",
        found=f"{required_package.name} is not installed (asked of: {packages.method})",
        expected=f"{required_package.name}, required by {required_package.required_by}",
        at_boot="whatever the guest needs the package for fails, mostly when the first container starts",
        mend=f"add {required_package.name} to the packages of the rootfs",
    )
    require(
        required_package.accepts(packages),
        packages.source_path or "/",
        found=f"{required_package.name} {packages[required_package.name].version} (asked of: {packages.method})",
        expected=f"{required_package.name} {required_package.bounds}, required by {required_package.required_by}",
        at_boot="the guest runs a version that the expectations rule out",
        mend=f"install a version of {required_package.name} that is {required_package.bounds}",
    )


@check("PKG-06", severity=WARN, content=FULL, source="distros/*/distro.toml, which PKG-01 goes by")
def test_required_packages_are_known(rootfs: RootfsTree, expectation: Expectation) -> None:
    """Guards against a guest whose packages nobody could judge: what is unknown is not installed, and not missing.

    PKG-01 goes by the description of the distribution, by rootfs-kit's manifest and by the expectations. Where none of
    them says what must be installed, name the distribution or the packages in the expectations.
    """
    name = rootfs.os_release.get("ID")
    require(
        not nothing_requires_packages(rootfs, expectation),
        "/etc/os-release",
        found=f"ID={name}, of which there is no description" if name else "no ID of a distribution",
        expected="a distribution that rootfs-kit describes, a manifest, or packages in the expectations",
        at_boot="a package that the guest needs may be missing: no package was looked for",
        mend="in the expectations, name the distribution (distro), or under [packages] what must be installed",
    )


@check("PKG-02", severity=ERROR, content=FULL, source="kata-containers/osbuilder#74: EXTRA_PKGS was lost on the way")
def test_extra_packages_were_really_installed(rootfs: RootfsTree) -> None:
    """Guards against extra packages that were asked for and never installed.

    rootfs-kit's manifest records what was asked; the list of installed packages must hold it.
    """
    written = manifest(rootfs)
    if written is None or not written.extra_packages:
        pytest.skip("no manifest says that extra packages were asked for")
    packages = rootfs.packages
    report(
        Finding(
            packages.source_path or "/",
            found=f"{name} is not installed (asked of: {packages.method})",
            expected=f"{name}, which was asked for as an extra package",
            at_boot="what was added to the guest on purpose is not there",
            mend=f"build the rootfs again with {name}",
        )
        for name in written.extra_packages
        if packages.answer(name) is Presence.ABSENT
    )


@check("PKG-03", severity=WARN, content=FULL, source="kata-containers#3216: build dependencies leaked into the guest")
@pytest.mark.parametrize("cache", CACHES)
def test_no_package_cache_is_left(rootfs: RootfsTree, cache: str) -> None:
    """Guards against downloaded packages and indexes that nothing in a guest reads."""
    if not rootfs.file(cache).is_directory:
        return
    left = [entry for entry in rootfs.walk(cache) if entry.is_file and entry.size and not entry.path.endswith("/lock")]
    require(
        not left,
        cache,
        found=f"{len(left)} files, {sum(entry.size for entry in left)} bytes",
        expected="no cache",
        at_boot="the guest boots, with an image that is larger than need be",
        mend=f"empty {cache} at the end of the build",
    )


@check("PKG-03", severity=WARN, content=FULL, source="kata-containers#3216 (14 MB became 113 MB)")
def test_no_build_tools_are_left(rootfs: RootfsTree) -> None:
    """Guards against compilers in a guest: they came as build dependencies and were never removed."""
    places = [f"/usr/bin/{tool}" for tool in BUILD_TOOLS]
    report(
        Finding(
            path,
            found=rootfs.file(path).describe(),
            expected="no build tools in a guest",
            at_boot="the guest boots, larger and with more to attack than need be",
            mend="build elsewhere, and install only the result",
        )
        for path in places
        if rootfs.file(path).is_executable
    )


@check("PKG-03", severity=WARN, content=FULL, source="sshd(8): host keys are one machine's identity")
def test_no_machine_secrets_are_left(rootfs: RootfsTree) -> None:
    """Guards against SSH host keys and random seeds that every guest of the image would share."""
    keys = [f"{HOST_KEYS}/{name}" for name in rootfs.listdir(HOST_KEYS)] if rootfs.file(HOST_KEYS).is_directory else []
    secrets = [path for path in keys if path.endswith("_key") and "/ssh_host_" in path]
    secrets += [path for path in MACHINE_SECRETS if _is_a_secret(rootfs, path)]
    report(
        Finding(
            path,
            found=f"a secret of {rootfs.file(path).size} bytes",
            expected="nothing: each guest makes its own",
            at_boot="all guests of this image share it, and so does everybody who has the image",
            mend=f"remove {path} at the end of the build",
        )
        for path in secrets
    )


def _is_a_secret(rootfs: RootfsTree, path: str) -> bool:
    entry = rootfs.lstat(path)
    return entry is not None and entry.is_file and entry.size > 0


@check(
    "PKG-04",
    severity=INFO,
    content=FULL,
    source="kata-containers#2116 (Fedora 30 by default); os-release(5), SUPPORT_END",
)
def test_release_is_still_maintained(rootfs: RootfsTree) -> None:
    """Notes a guest of a release that gets no security updates any more; build a newer one.

    The day is the one that os-release names, or that rootfs-kit's description of the distribution knows. This is
    information, as a gate that was green must not turn red because a day has passed.
    """
    ended = _end_of_support(rootfs)
    require(
        ended is None or ended >= today(),
        "/etc/os-release",
        found=f"{rootfs.os_release.get('PRETTY_NAME', rootfs.os_release.get('ID'))}, whose updates ended on {ended}",
        expected="a release that is maintained",
        at_boot="the guest boots, with faults that are known and stay",
        mend="build a newer release of the distribution",
    )


def _end_of_support(rootfs: RootfsTree) -> date | None:
    try:
        return date.fromisoformat(rootfs.os_release.get("SUPPORT_END", ""))
    except ValueError:
        pass
    distro = known_distro(rootfs)
    number, name = rootfs.os_release.get("VERSION_ID", ""), rootfs.os_release.get("VERSION_CODENAME", "")
    releases = distro.releases if distro is not None else ()
    # Alpine's VERSION_ID is that of the day, 3.20.3, of the release 3.20.
    words = {number, name, ".".join(number.split(".")[:2])} - {""}
    return next((release.end_of_life for release in releases if words & {release.name, release.version}), None)


@check("PKG-05", severity=ERROR, content=FULL, source="dpkg(1), PACKAGE STATES")
def test_no_package_is_half_installed(rootfs: RootfsTree) -> None:
    """Guards against packages whose installation was cut short: their files are there, and their scripts never ran.

    The user that a service runs as, or an alternative, is then missing. Run `dpkg --configure -a` in the build.
    """
    text = rootfs.file(DPKG_STATUS).read_text() if rootfs.file(DPKG_STATUS).is_file else ""
    report(
        Finding(
            DPKG_STATUS,
            found=f"{name[1]} is {state[1]}",
            expected="packages that are installed, or not there",
            at_boot="what the package's scripts would have set up is missing",
            mend=f"configure {name[1]} (dpkg --configure -a), or find out why it failed",
        )
        for stanza in text.split("\n\n")
        if (state := HALF_INSTALLED.search(stanza)) is not None and (name := NAME.search(stanza)) is not None
    )
