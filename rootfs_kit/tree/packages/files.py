"""Packages by the files that they are known by, for a rootfs whose lists are gone.

A file shows that a package is there and says nothing of its version; of a package that no file stands for,
nothing is known. The list holds what Kata's guests need and what people add to look into them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree.packages.model import Package, PackageSet, Provided
from rootfs_kit.tree.paths import basename

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

Names = tuple[str, ...]

PROGRAMS: dict[str, Names] = {
    "bash": ("bash",),
    "chronyd": ("chrony",),
    "conntrack": ("conntrack", "conntrack-tools"),
    "cryptsetup": ("cryptsetup", "cryptsetup-bin"),
    "curl": ("curl",),
    "dbus-broker": ("dbus-broker",),
    "dbus-daemon": ("dbus", "dbus-daemon"),
    "dmsetup": ("dmsetup", "device-mapper"),
    "ip6tables": ("ip6tables",),
    "ipset": ("ipset",),
    "iptables": ("iptables", "iptables-nft", "iptables-legacy"),
    "kmod": ("kmod",),
    "lscpu": ("util-linux",),
    "lvm": ("lvm2",),
    "mkfs.btrfs": ("btrfs-progs",),
    "mkfs.erofs": ("erofs-utils",),
    "mkfs.ext4": ("e2fsprogs",),
    "mkfs.xfs": ("xfsprogs",),
    "nft": ("nftables",),
    "shutdown": ("systemd-sysv", "init"),
    "ss": ("iproute2", "iproute"),
    "sshd": ("openssh-server",),
    "stdbuf": ("coreutils",),
    "strace": ("strace",),
    "tcpdump": ("tcpdump",),
    "update-ca-certificates": ("ca-certificates",),
}
LIBRARIES: dict[str, Names] = {
    "libcurl.so.4": ("libcurl", "libcurl4", "libcurl4t64"),
    "libdevmapper.so.1.02": ("device-mapper-libs",),
    "libdevmapper.so.1.02.1": ("libdevmapper1.02.1",),
    "libnghttp2.so.14": ("libnghttp2", "libnghttp2-14"),
    "libseccomp.so.2": ("libseccomp", "libseccomp2"),
    "libudev.so.1": ("libudev1",),
}
PLACES: dict[str, Names] = {
    "systemd/systemd": ("systemd",),
    "systemd/systemd-udevd": ("udev", "systemd-udev"),
}
"""Below the directories of libraries, where daemons that people do not start lie."""

PROGRAM_DIRECTORIES = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
LIBRARY_DIRECTORIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")
MULTIARCH = re.compile(r"[a-z0-9_]+-linux-[a-z0-9]+")
MANY_IN_ONE = ("busybox", "toybox")


class Evidence(NamedTuple):
    """The packages whose files are there, and the names of those whose files are not."""

    present: tuple[Package, ...]
    absent: frozenset[str]


def read_files(tree: RootfsTree) -> PackageSet | None:
    """What the files of `tree` show; None where none of the known ones is there."""
    evidence = find_evidence(tree)
    if not evidence.present:
        return None
    return PackageSet("files", None, evidence.present, complete=False, absent=evidence.absent)


def find_evidence(tree: RootfsTree) -> Evidence:
    """What the files show. A package whose file could not be looked for counts neither as present nor as absent."""
    present: list[Package] = []
    absent: set[str] = set()
    libraries = tuple(_library_directories(tree))
    for names, paths in _witnesses(libraries):
        there = _any_is_there(tree, paths)
        if there:
            present.append(Package(names[0], provides=tuple(Provided(name) for name in names[1:])))
        elif there is False:
            absent.update(names)
    return Evidence(tuple(present), frozenset(absent))


def _witnesses(library_directories: tuple[str, ...]) -> Iterator[tuple[Names, list[str]]]:
    for program, names in PROGRAMS.items():
        yield names, [f"{directory}/{program}" for directory in PROGRAM_DIRECTORIES]
    for library, names in (*LIBRARIES.items(), *PLACES.items()):
        yield names, [f"{directory}/{library}" for directory in library_directories]


def _library_directories(tree: RootfsTree) -> Iterator[str]:
    for directory in LIBRARY_DIRECTORIES:
        yield directory
        try:
            yield from (f"{directory}/{name}" for name in tree.listdir(directory) if MULTIARCH.fullmatch(name))
        except CouldNotLook:
            continue


def _any_is_there(tree: RootfsTree, paths: list[str]) -> bool | None:
    """None where one of `paths` could not be looked at, and no other is there."""
    answer: bool | None = False
    for path in paths:
        try:
            resolution = tree.resolve(path)
        except CouldNotLook:
            answer = None
            continue
        # One program under many names stands for no package but its own.
        if resolution.entry is not None and basename(resolution.entry.path) not in MANY_IN_ONE:
            return True
    return answer
