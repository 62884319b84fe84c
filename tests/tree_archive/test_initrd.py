"""How an initrd is read: segments, alignment, trailers, losses. The kernel is asked in test_initrd_kernel."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from rootfs_kit.errors import BadArchive
from rootfs_kit.tree import RootfsTree, open_rootfs
from tests.support.requirements import needs_program
from tests.tree_archive.initrd_cases import DIRECTORY, FILE, LINK
from tests.tree_archive.workshop import TRAILER, newc, run

MICROCODE = [
    newc(b"kernel", DIRECTORY), newc(b"kernel/x86", DIRECTORY), newc(b"kernel/x86/Intel.bin", FILE, b"microcode"),
]  # fmt: skip


def archive(*entries: bytes) -> bytes:
    return b"".join(entries) + TRAILER


def opened(tmp_path: Path, data: bytes) -> RootfsTree:
    (tmp_path / "initrd").write_bytes(data)
    return open_rootfs(tmp_path / "initrd")


def test_microcode_in_front_of_a_compressed_archive(tmp_path: Path) -> None:
    """What every distribution's early initrd is, filled up to whole blocks."""
    early = archive(*MICROCODE)
    tree = opened(tmp_path, early + bytes(-len(early) % 512) + gzip.compress(archive(newc(b"init", FILE, b"main"))))
    assert tree.source_kind == "cpio"
    assert tree.file("/init").read_text() == "main"
    assert tree.file("/kernel/x86/Intel.bin").read_text() == "microcode"


def test_archives_follow_each_other_and_the_later_wins(tmp_path: Path) -> None:
    parts = [
        gzip.compress(archive(newc(b"a", FILE, b"1"), newc(b"b", FILE, b"1"))), bytes(7),
        lzma.compress(archive(newc(b"b", FILE, b"22")), check=lzma.CHECK_CRC32), bytes(1000),
    ]  # fmt: skip
    compressed = b"".join(parts)
    tree = opened(tmp_path, compressed + bytes(-len(compressed) % 4) + archive(newc(b"c", FILE, b"333")))
    assert [(entry.path, entry.size) for entry in tree.walk() if entry.is_file] == [("/a", 1), ("/b", 2), ("/c", 3)]


def test_trailer_may_be_missing(tmp_path: Path) -> None:
    """buffer-format.rst: `cpio_archive := cpio_file* + (<nothing> | cpio_trailer)`."""
    assert opened(tmp_path, newc(b"init", FILE, b"1")).exists("/init")


def test_one_archive_in_two_compressed_streams_is_refused_as_the_kernel_refuses_it(tmp_path: Path) -> None:
    whole = archive(newc(b"init", FILE, b"x" * 1000))
    with pytest.raises(BadArchive, match="truncated"):
        opened(tmp_path, gzip.compress(whole[:600]) + gzip.compress(whole[600:]))


DAMAGES = {
    "an archive at no multiple of four": (
        archive(newc(b"a", FILE)) + b"\0" + archive(newc(b"b", FILE)),
        "multiple of four",
    ),
    "junk between archives": (archive(newc(b"a", FILE)) + b"junk", "neither a cpio archive nor a compression"),
    "junk in a stream": (gzip.compress(archive(newc(b"a", FILE)) + b"junk", mtime=0), "something that is no cpio"),
    "lz4": (archive(newc(b"a", FILE)) + b"\x04\x22\x4d\x18data", "cannot read lz4"),
    "an old format": (
        newc(b"a", FILE) + newc(b"b", FILE).replace(b"070701", b"070707"),
        "that the kernel does not take",
    ),
    "no magic": (newc(b"a", FILE) + newc(b"b", FILE).replace(b"070701", b"070703"), "header at byte 112 is damaged"),
    "a bad number": (
        newc(b"a", FILE) + newc(b"b", FILE).replace(b"000081A4", b"00008 A4"),
        "header at byte 112 is damaged",
    ),
    "a name without an end": (newc(b"a", FILE, name_size=1), "does not end"),
    "a wrong checksum": (newc(b"a", FILE, b"abc", magic=b"070702", checksum=295), "checksum of the content is wrong"),
}


@pytest.mark.parametrize(("data", "said"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_told(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(BadArchive, match=said):
        opened(tmp_path, data)


def test_checksums_are_verified(tmp_path: Path) -> None:
    tree = opened(tmp_path, archive(newc(b"a", FILE, b"abc", magic=b"070702", checksum=294)))
    assert tree.file("/a").read_text() == "abc"


def test_entry_without_its_directory_is_lost_and_findings_say_why(tmp_path: Path) -> None:
    tree = opened(tmp_path, archive(newc(b"sbin/init", FILE, b"x"), newc(b"etc", DIRECTORY)))
    assert not tree.exists("/sbin/init")
    assert tree.why_lost("/sbin/init") == "no entry before it makes the directory /sbin"
    assert "will be lost" in tree.file("/sbin/init").describe()
    assert tree.file("/bin/init").describe() == "nothing"
    assert tree.unreadable == ()


def test_hard_link_to_what_was_replaced_is_unknown(tmp_path: Path) -> None:
    """The kernel then writes through the link that is there now, wherever it leads."""
    first, second = newc(b"a", FILE, b"1", ino=9, links=2), newc(b"b", FILE, b"2", ino=9, links=2)
    tree = opened(tmp_path, archive(first, newc(b"a", LINK, b"x"), second))
    assert [each.path for each in tree.unreadable] == ["/b"]


@needs_program("cpio")
@pytest.mark.parametrize("form", ["odc", "bin"])
def test_formats_that_no_kernel_takes_are_named(tmp_path: Path, form: str) -> None:
    (tmp_path / "init").write_text("x")
    data = run("cpio", "-o", "--quiet", "-H", form, cwd=tmp_path, data=b"init\n")
    with pytest.raises(BadArchive, match="no kernel takes as an initrd"):
        opened(tmp_path, data)
