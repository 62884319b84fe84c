"""What becomes of strange members of a tar: GNU tar itself is the referee."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.suite.verdict import State
from rootfs_kit.tree import RootfsTree, open_rootfs
from tests.support.requirements import needs_program, needs_root
from tests.support.verdicts import judged
from tests.tree_archive.workshop import END, header, members, pax, shared_names, told

pytestmark = [needs_root(), needs_program("tar")]

ORDINARY = {
    "a member is replaced by a later one": [("file", "a", "1"), ("file", "a", "22")],
    "a replaced file keeps its other name": [("file", "a", "1"), ("hard", "b", "a"), ("file", "a", "22")],
    "a link is replaced and not written through": [("file", "x", "x"), ("link", "a", "x"), ("file", "a", "new")],
    "a file becomes a directory": [("file", "a", "x"), ("dir", "a"), ("file", "a/b", "y")],
    "an empty directory becomes a file": [("dir", "a"), ("file", "a", "hi")],
    "an empty directory becomes a link": [("dir", "a"), ("link", "a", "b")],
    "an empty directory becomes a hard link": [("file", "x", "x"), ("dir", "a"), ("hard", "a", "x")],
    "a link to a directory becomes a directory": [
        ("dir", "usr"), ("file", "usr/y", "y"), ("link", "lib", "usr"), ("dir", "lib"), ("file", "lib/x", "x"),
    ],
    "a member below a link goes where it leads": [("dir", "usr"), ("link", "lib", "usr"), ("file", "lib/x", "x")],
    "directories above a member are made": [("file", "a/b/c/d", "x")],
    "an absolute name begins at the root": [("file", "/a/b", "x"), ("dir", "//c//d/")],
    "dots in names are nothing": [("file", "./a/./b", "x"), ("dir", "."), ("dir", "./c/.")],
    "names of dots are names": [("file", "a/...", "x"), ("file", "..b", "y"), ("dir", ".c")],
    "a hard link to an absolute name": [("file", "a", "x"), ("hard", "b", "/a")],
    "a hard link to what comes after dots": [("file", "a", "x"), ("dir", "d"), ("hard", "d/b", "../a")],
    "a hard link to itself": [("file", "x", "x"), ("hard", "x", "x")],
    "a hard link to a link": [("link", "a", "nowhere"), ("hard", "b", "a")],
    "a hard link through a link": [
        ("dir", "usr/lib"), ("file", "usr/lib/f", "f"), ("link", "lib", "usr/lib"), ("hard", "g", "lib/f"),
    ],
    "a hard link to a hard link": [("file", "a", "x"), ("hard", "b", "a"), ("hard", "c", "b")],
    "an absolute link that nothing is below": [("link", "a", "/etc/passwd"), ("link", "b", "../../..")],
}  # fmt: skip

REFUSED = {
    "a name climbs out": ("/evil", [("file", "ok", "x"), ("file", "../evil", "x")]),
    "a name climbs inside": ("/evil", [("file", "ok", "x"), ("file", "a/../evil", "x")]),
    "below an absolute link": ("/run/x", [("dir", "run"), ("link", "var/run", "/run"), ("file", "var/run/x", "x")]),
    "below a link that climbs": ("/run/x", [("dir", "run"), ("link", "var", "./../run"), ("file", "var/x", "x")]),
    "below a link to the host": ("/etc/x", [("link", "a", "/etc"), ("dir", "etc"), ("file", "a/x", "x")]),
    "below a dangling link": ("/nowhere", [("link", "a", "nowhere"), ("file", "a/x", "x")]),
    "below a loop": ("/a/x", [("link", "a", "b"), ("link", "b", "a"), ("file", "a/x", "x")]),
    "below a file": ("/a/b", [("file", "a", "x"), ("file", "a/b", "y")]),
    "a file over a directory": ("/a", [("file", "a/x", "x"), ("file", "a", "y")]),
    "a link over a directory": ("/a", [("file", "a/x", "x"), ("link", "a", "y")]),
    "a hard link to nothing": ("/b", [("file", "ok", "x"), ("hard", "b", "a")]),
    "a hard link to a directory": ("/b", [("dir", "a"), ("hard", "b", "a")]),
    "a hard link to the root": ("/b", [("dir", "a"), ("hard", "b", ".")]),
    "a link with too long a text": ("/b", [("dir", "a"), ("link", "b", "t/" * 2100)]),
    "a link without a text": ("/b", [("dir", "a"), ("link", "b", "")]),
    "a name that no file system takes": (f"/{'n' * 300}", [("dir", "a"), ("file", "n" * 300, "x")]),
}  # fmt: skip


def extracted(archive: Path, target: Path) -> tuple[int, RootfsTree]:
    """GNU tar's exit status, and what it made."""
    target.mkdir()
    done = subprocess.run(["tar", "-C", target, "-xpf", archive], capture_output=True, check=False)
    return done.returncode, open_rootfs(target)


def without_implicit_times(tree: RootfsTree) -> dict[str, tuple]:
    """Directories that no member describes have the time of the extraction."""
    return {path: (*facts[:5], *facts[6:]) for path, facts in told(tree).items() if path != "/"}


@pytest.mark.parametrize("wanted", ORDINARY.values(), ids=ORDINARY)
def test_members_become_what_gnu_tar_makes_of_them(tmp_path: Path, wanted: list[tuple]) -> None:
    archive = members(tmp_path / "x.tar", *wanted)
    status, referee = extracted(archive, tmp_path / "out")
    assert status == 0
    tree = open_rootfs(archive)
    assert without_implicit_times(tree) == without_implicit_times(referee)
    assert shared_names(tree) == shared_names(referee)
    assert tree.unreadable == ()


@pytest.mark.parametrize(("path", "wanted"), REFUSED.values(), ids=REFUSED)
def test_of_a_member_that_gnu_tar_refuses_nothing_is_known(tmp_path: Path, path: str, wanted: list[tuple]) -> None:
    archive = members(tmp_path / "x.tar", *wanted)
    status, referee = extracted(archive, tmp_path / "out")
    assert status == 2
    tree = open_rootfs(archive)
    assert without_implicit_times(tree) == without_implicit_times(referee), "the others are what they would be"
    assert [each.path for each in tree.unreadable] == [path]


def test_an_archive_with_such_a_member_is_never_green(tmp_path: Path) -> None:
    archive = members(
        tmp_path / "x.tar", ("dir", "etc"), ("file", "etc/os-release", "ID=x"), ("file", "../sbin/init", "")
    )
    verdict = judged(archive)
    unknown = [result.nodeid for result in verdict.of(State.UNKNOWN)]
    assert "rootfs-kit/test_layout.py::test_every_part_of_the_rootfs_can_be_read" in unknown
    with pytest.raises(CouldNotLook, match="its name holds"):
        open_rootfs(archive).exists("/sbin/init")


def put(tmp_path: Path, *blocks: bytes) -> RootfsTree:
    (tmp_path / "x").write_bytes(b"".join(blocks) + END)
    return open_rootfs(tmp_path / "x")


def body(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def test_old_directories_are_files_whose_names_end_in_a_slash(tmp_path: Path) -> None:
    tree = put(
        tmp_path, header(b"etc/", b"\0", magic=b"\0" * 8), header(b"etc/x", b"\0", 2, magic=b"\0" * 8), body(b"hi")
    )
    assert tree.file("/etc").is_directory
    assert tree.file("/etc/x").read_text() == "hi"


def test_numbers_too_large_for_octal_are_read(tmp_path: Path) -> None:
    big = (b"\x80" + (3_000_000).to_bytes(7, "big"))[:8]
    past = b"\xff" * 8 + (-86_400 & 0xFFFFFFFF).to_bytes(4, "big")
    tree = put(tmp_path, header(b"x", uid=big, mtime=past))
    entry = tree.lstat("/x")
    assert entry is not None
    assert (entry.uid, entry.mtime) == (3_000_000, -86_400)


def test_checksums_of_signed_bytes_are_taken(tmp_path: Path) -> None:
    block = bytearray(header(b"caf\xe9"))
    block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * 32 - 256)
    tree = put(tmp_path, bytes(block))
    assert tree.listdir("/") == ["caf\udce9"]


def test_extended_headers_beat_the_header(tmp_path: Path) -> None:
    records = {
        b"path": b"etc/long\nname", b"uid": b"70000", b"gid": b"80000", b"mtime": b"1700000000.5", b"size": b"5",
        b"SCHILY.xattr.user.a%3Db": b"1=2\n\0", b"LIBARCHIVE.xattr.user%2Ec": b"aGk", b"RHT.security.selinux": b"u:r:t",
    }  # fmt: skip
    tree = put(tmp_path, pax(records), header(b"short", size=0), body(b"hello"), header(b"next"))
    entry = tree.lstat("/etc/long\nname")
    assert entry is not None
    assert (entry.uid, entry.gid, entry.mtime, entry.size) == (70000, 80000, 1700000000.5, 5)
    assert tree.file("/etc/long\nname").read_text() == "hello"
    assert tree.xattrs(entry.path) == {"user.a=b": b"1=2\n\0", "user.c": b"hi", "security.selinux": b"u:r:t\0"}
    assert tree.exists("/next")


def test_global_headers_hold_until_they_are_taken_back(tmp_path: Path) -> None:
    blocks = [pax({b"uid": b"5"}, b"g"), header(b"a"), header(b"b"), pax({b"uid": b"6"}), header(b"c")]
    tree = put(tmp_path, *blocks, header(b"d"), pax({b"uid": b""}, b"g"), header(b"e", uid=b"0000007"))
    assert [entry.uid for entry in tree.walk() if entry.is_file] == [5, 5, 6, 5, 7]


@pytest.mark.parametrize("name", [b"070701", b"\x1f\x8b", b"BZh", b"LZIP", b"\x50\x2a\x4d\x18", b"\x5d"])
def test_name_of_the_first_member_may_look_like_anything(tmp_path: Path, name: bytes) -> None:
    tree = put(tmp_path, header(name, b"5"), header(name + b"/f"))
    assert tree.source_kind == "tar"
    (tmp_path / "x.gz").write_bytes(gzip.compress((tmp_path / "x").read_bytes()))
    assert len(tree) == len(open_rootfs(tmp_path / "x.gz")) == 3


def test_volume_labels_and_unknown_kinds(tmp_path: Path) -> None:
    tree = put(tmp_path, header(b"a label", b"V"), header(b"odd", b"Z", 2), body(b"hi"), header(b"contiguous", b"7"))
    assert tree.listdir("/") == ["contiguous", "odd"]
    assert tree.file("/odd").read_text() == "hi"


SPARSE = {
    "old GNU format": ("--format=gnu",),
    "pax 0.0": ("--format=pax", "--sparse-version=0.0"),
    "pax 0.1": ("--format=pax", "--sparse-version=0.1"),
    "pax 1.0": ("--format=pax", "--sparse-version=1.0"),
}


@pytest.mark.parametrize("options", SPARSE.values(), ids=SPARSE)
def test_sparse_files_are_read_with_their_holes(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "root").mkdir()
    holes = tmp_path / "root/holes"
    with holes.open("wb") as file:
        for number in range(40):
            file.seek(number * 65536)
            file.write(b"%d" % number * 1000)
        file.truncate(5_000_000)
    (tmp_path / "root/after").write_text("the next member")
    done = subprocess.run(["tar", "-C", tmp_path / "root", *options, "-S", "-cf", tmp_path / "x", "."], check=False)
    assert done.returncode == 0 and (tmp_path / "x").stat().st_size < 1_000_000
    assert told(open_rootfs(tmp_path / "x")) == told(open_rootfs(tmp_path / "root"))
    with open_rootfs(tmp_path / "x").open("/holes") as found, holes.open("rb") as wanted:
        for offset, size in ((0, 10), (1995, 20), (65530, 100), (4_999_990, 100), (5_000_000, 1), (9_000_000, 1)):
            found.seek(offset)
            wanted.seek(offset)
            assert found.read(size) == wanted.read(size)


def test_a_terabyte_of_holes_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with (tmp_path / "root/huge").open("wb") as file:
        file.seek(1 << 40)
        file.write(b"end")
    subprocess.run(["tar", "-C", tmp_path / "root", "-S", "-cf", tmp_path / "x", "."], check=True)
    tree = open_rootfs(tmp_path / "x")
    assert tree.file("/huge").size == (1 << 40) + 3
    with tree.open("/huge") as file:
        file.seek(-5, 2)
        assert file.read() == b"\0\0end"
