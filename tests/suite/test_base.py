"""--rootfs-base: what comes of a base when an overlay is laid over it, judged without laying it."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from rootfs_kit.errors import UsageError
from rootfs_kit.tree import RootfsTree, open_overlaid, open_rootfs
from tests.support import trees
from tests.support.defects import a_directory, chmodded, linked, removed, written
from tests.support.requirements import needs_program
from tests.support.verdicts import caught, judged

pytestmark = needs_program("cc", "depmod", "tar")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A guest as its distribution made it: without the agent, and without anything of Kata's."""
    root = trees.systemd_guest(tmp_path / "base")
    for path in (
        "usr/bin/kata-agent", f"{trees.SYSTEM}/kata-agent.service", f"{trees.SYSTEM}/kata-containers.target",
        "var/lib/osbuilder",
    ):  # fmt: skip
        removed(path)(root)
    return root


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    return trees.systemd_overlay(tmp_path / "overlay")


def unpacked(base: Path, overlay: Path, place: Path) -> Path:
    """What tar makes of both."""
    trees.copy(base, place)
    archive = place.with_suffix(".tar")
    subprocess.run(["tar", "-C", str(overlay), "-cf", str(archive), "."], check=True)
    subprocess.run(["tar", "-C", str(place), "-xpf", str(archive)], check=True)
    return place


def look(tree: RootfsTree) -> dict[str, tuple[object, ...]]:
    """Every entry with all that a check may ask of it."""
    found = {}
    for entry in tree.walk():
        with tree.open(entry.path) if entry.is_file else open("/dev/null", "rb") as content:
            digest = hashlib.sha256(content.read()).hexdigest()
        found[entry.path] = (entry.kind, entry.mode, entry.uid, entry.gid, entry.target, digest)
    return found


def test_the_base_lacks_an_agent_and_the_overlay_brings_it(base: Path, overlay: Path) -> None:
    assert "AGT-01::test_agent_is_installed" in caught(judged(base, "systemd"))
    verdict = judged(overlay, "systemd", base=str(base))
    assert caught(verdict) == {}
    assert verdict.kind == "directory over directory"


CHANGES = {
    "as it comes": (),
    "a directory over a link": (a_directory("lib/systemd"), written("lib/systemd/new", "x")),
    "a link over a file": (linked("etc/passwd", "passwd.kata"), written("etc/passwd.kata", "root:x:0:0::/:/bin/sh\n")),
    "a file over a link": (written("etc/os-release", "ID=kata\n"), chmodded("etc", 0o700)),
    "a link over an empty directory": (chmodded("", 0o711), linked("etc/chrony/sources.d", "other.d")),
}


@pytest.mark.parametrize("story", CHANGES)
def test_it_is_what_tar_makes_of_both(base: Path, overlay: Path, tmp_path: Path, story: str) -> None:
    for change in CHANGES[story]:
        change(overlay)
    before = trees.fingerprint(base), trees.fingerprint(overlay)
    expected = look(open_rootfs(unpacked(base, overlay, tmp_path / "both")))
    assert look(open_overlaid(overlay, base)) == expected
    assert (trees.fingerprint(base), trees.fingerprint(overlay)) == before


def test_what_breaks_the_base_is_found(base: Path, overlay: Path) -> None:
    a_directory("lib/systemd")(overlay)
    assert "LAY-04::test_merged_usr_is_whole" in caught(judged(overlay, "systemd", base=str(base)))


def test_a_file_hides_the_directory_below_it(base: Path, overlay: Path) -> None:
    written("etc/chrony", "no directory any more\n")(overlay)
    tree = open_overlaid(overlay, base)
    assert tree.file("/etc/chrony").is_file
    assert [entry.path for entry in tree.walk("/etc") if entry.path.startswith("/etc/chrony")] == ["/etc/chrony"]


def test_the_base_may_be_an_archive(base: Path, overlay: Path, tmp_path: Path) -> None:
    archive = tmp_path / "base.tar"
    subprocess.run(["tar", "-C", str(base), "-cf", str(archive), "."], check=True)
    verdict = judged(overlay, "systemd", base=str(archive))
    assert caught(verdict) == {}
    assert verdict.kind == "directory over tar"


@pytest.mark.parametrize(
    ("base_", "profile", "message"),
    [
        ("/", "systemd", "it is the root of this machine"),
        ("nowhere", "systemd", "there is no"),
        (None, "overlay", "not the overlay"),
    ],
)
def test_what_cannot_be_meant_is_refused(base: Path, overlay: Path, base_, profile: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        judged(overlay, profile, base=base_ or str(base))
