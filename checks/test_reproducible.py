"""Reproducible: two builds of the same thing are the same, and nothing in them tells where they were made."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rootfs_kit.suite.anatomy import manifest
from rootfs_kit.suite.check import FULL, WARN, Finding, check, report
from rootfs_kit.suite.environment import name_of_this_machine, place_here
from rootfs_kit.tree import Kind, RootfsTree

# Places of build machines; a link that leads there, or a line that names one, came from a build.
BUILD_PLACES = (
    "/home/runner/work/", "/github/workspace/", "/__w/", "/var/lib/jenkins/workspace/", "/osbuilder/rootfs-builder/",
    "/tmp/mmdebstrap.", "/tmp/rootfs",
)  # fmt: skip
HOMES = ("/home/", "/root/", "/builds/", "/work/", "/workspace/", "/mnt/", "/media/", "/tmp/", "/srv/")
LARGEST_TEXT = 1 << 16
MOST_TEXTS = 2000
SHORTEST_NAME = 4
WORD = re.compile(rb"[A-Za-z0-9._-]+")


@check("REP-01", severity=WARN, source="kata-containers#4667; https://reproducible-builds.org/specs/source-date-epoch/")
def test_nothing_is_newer_than_its_epoch(rootfs: RootfsTree) -> None:
    """Guards against times of the build in a rootfs that was to be the same whenever it is built.

    rootfs-kit's manifest says which SOURCE_DATE_EPOCH it was built with. Nothing may be changed afterwards.
    """
    written = manifest(rootfs)
    epoch = written.source_date_epoch if written is not None else None
    if epoch is None:
        return
    report(
        Finding(
            entry.path,
            found=f"changed {int(entry.mtime) - epoch} seconds after SOURCE_DATE_EPOCH",
            expected=f"no time later than {epoch}",
            at_boot="the guest boots; its image differs from every other build of the same sources",
            mend="build it again with SOURCE_DATE_EPOCH, and change nothing afterwards",
        )
        for entry in rootfs.walk()
        if int(entry.mtime) > epoch
    )


@check("REP-01", severity=WARN, content=FULL, source="symlink(7): an absolute link starts at the guest's own root")
def test_no_link_leads_to_the_build_machine(rootfs: RootfsTree) -> None:
    """Guards against `ln -s $ROOTFS/usr/…`: in the guest, the link leads to a directory that only the builder had.

    Make such links relative, or let them start at the guest's root.
    """
    builders = (*HOMES, f"{place_here(rootfs.name)}/")
    report(
        Finding(
            entry.path,
            found=rootfs.file(entry.path).describe(),
            expected="a link to something in the guest",
            at_boot=f"whatever opens {entry.path} fails as if it were not there",
            mend="leave out the directory in which the rootfs was built",
        )
        for entry in rootfs.walk("/", Kind.SYMLINK)
        if (entry.target or "").startswith(builders) and not rootfs.exists(entry.path)
    )


@check(
    "REP-01",
    severity=WARN,
    content=FULL,
    source="kata-containers#4667; https://reproducible-builds.org/docs/build-path/",
)
def test_configuration_names_no_build_machine(rootfs: RootfsTree) -> None:
    """Guards against configuration that names the machine or the directory in which it was made.

    Looked for in the small files of /etc: this machine's name and the tree's own path, and the work directories of
    well-known build services.
    """
    places = tuple(place.encode() for place in BUILD_PLACES) + _own_place(rootfs.name)
    host = name_of_this_machine().encode()
    report(
        Finding(
            path,
            found=f"the text {told.decode(errors='replace')!r}",
            expected="nothing about the machine that built the rootfs",
            at_boot="the guest boots; what is configured there does not exist in it",
            mend=f"correct {path}, or remove it",
        )
        for path, content in _texts(rootfs)
        if (told := _told(content, places, host)) is not None
    )


def _own_place(name: str) -> tuple[bytes, ...]:
    """The path of the tree on this machine, where it is long enough to be nobody else's."""
    place = place_here(name)
    return (place.encode(errors="surrogateescape") + b"/",) if place.count("/") > 1 else ()


def _texts(rootfs: RootfsTree) -> Iterator[tuple[str, bytes]]:
    """The small files of /etc; /etc/hostname and /etc/hosts have a check of their own."""
    files = (entry for entry in rootfs.walk("/etc") if entry.is_file and 0 < entry.size <= LARGEST_TEXT)
    for _, entry in zip(range(MOST_TEXTS), files, strict=False):
        if entry.path not in ("/etc/hostname", "/etc/hosts", "/etc/passwd", "/etc/group", "/etc/services"):
            yield entry.path, rootfs.read_bytes(entry.path)


def _told(content: bytes, places: tuple[bytes, ...], host: bytes) -> bytes | None:
    if b"\0" in content:
        return None
    place = next((place for place in places if place in content), None)
    if place is not None:
        return place
    is_a_name = len(host) >= SHORTEST_NAME and any(sign in host for sign in b"-0123456789")
    return host if is_a_name and host in content and host in WORD.findall(content) else None
