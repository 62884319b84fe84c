"""Damaged, truncated, foreign and hostile files: one clear error, never a traceback, never half a tree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_kit.errors import BadArchive, UsageError
from rootfs_kit.tree import open_rootfs
from tests.cli.conftest import PACKAGE_PARENT
from tests.support.requirements import needs_program
from tests.tree_archive.workshop import END, TRAILER, body_blocks, compressed, header, newc, pax, run

TAR = b"".join(
    [
        header(b"./", b"5"),
        header(b"././@LongLink", b"L", 150), body_blocks(b"n" * 150), header(b"short", size=700),
        body_blocks(b"x" * 700),
        pax({b"path": b"p" * 120, b"SCHILY.xattr.user.a": b"b"}), header(b"short", size=3), body_blocks(b"abc"),
        header(b"link", b"2", link=b"short"),
    ]
)  # fmt: skip
CPIO = b"".join(
    [newc(b".", 0o40755), newc(b"etc", 0o40755), newc(b"etc/f", 0o100644, b"x" * 333), newc(b"l", 0o120777, b"t")]
)


def offsets(size: int, *edges: int) -> list[int]:
    """Beginnings, ends and middles of everything: each edge and its neighbours, and a spread over all the rest."""
    near = {edge + step for edge in edges for step in (-1, 0, 1)}
    return sorted(offset for offset in near | set(range(0, size, 97)) if 0 < offset < size)


@pytest.mark.parametrize("offset", offsets(len(TAR) + 1, *range(0, len(TAR) + 1, 512)))
def test_tar_that_ends_too_early(tmp_path: Path, offset: int) -> None:
    (tmp_path / "x").write_bytes((TAR + END)[:offset])
    with pytest.raises(BadArchive):
        open_rootfs(tmp_path / "x")


BETWEEN_ENTRIES = {112, 228, 677, 678, 679, 680}
"""An initrd may end there, as no trailer is needed, nor what the last entry is filled up with."""


@pytest.mark.parametrize("offset", sorted({*offsets(len(CPIO) - 3, 110, 112, 338, 671)} - BETWEEN_ENTRIES))
def test_initrd_that_ends_within_an_entry(tmp_path: Path, offset: int) -> None:
    (tmp_path / "x").write_bytes(CPIO[:offset])
    with pytest.raises(BadArchive):
        open_rootfs(tmp_path / "x")


@needs_program("gzip", "xz", "zstd", "bzip2")
@pytest.mark.parametrize(
    "command", [("gzip", "-c"), ("xz", "-c"), ("zstd", "-qc"), ("bzip2", "-c")], ids=lambda each: each[0]
)
@pytest.mark.parametrize("plain", [TAR + END, CPIO + TRAILER], ids=["tar", "cpio"])
def test_compressed_archive_that_ends_too_early_or_is_damaged(
    tmp_path: Path, command: tuple[str, ...], plain: bytes
) -> None:
    (tmp_path / "x").write_bytes(plain)
    data = compressed(tmp_path / "x", *command).read_bytes()
    for offset in offsets(len(data), len(data) - 8, len(data) // 2):
        (tmp_path / "y").write_bytes(data[:offset])
        with pytest.raises(BadArchive):
            open_rootfs(tmp_path / "y")
    spoilt = bytearray(data)
    spoilt[len(data) // 2] ^= 0x55
    (tmp_path / "y").write_bytes(spoilt)
    with pytest.raises(BadArchive):
        open_rootfs(tmp_path / "y")


def extended(records: bytes) -> bytes:
    """An extended header that holds just these bytes, and a member behind it."""
    return header(b"p", b"x", len(records)) + body_blocks(records) + header(b"a")


def described(stored: bytes = b"", /, **records: bytes) -> bytes:
    """A member with these records, of which this much is stored. An underscore stands for a dot."""
    named = {key.replace("_", ".").encode(): value for key, value in records.items()}
    return pax(named) + header(b"a", size=len(stored)) + body_blocks(stored)


SECOND = header(b"b").replace(b"0000644", b"0000645")
BAD_TARS = {
    "a wrong checksum": (SECOND, "nothing that is known"),
    "a wrong checksum further on": (header(b"a") + SECOND, "checksum of the header at byte 512"),
    "junk instead of a header": (header(b"a") + b"j" * 512, "checksum of the header at byte 512"),
    "a number that is none": (header(b"a", mtime=b"99999999999"), "a number in a header is damaged"),
    "a negative size": (header(b"a", size=b"\xff" * 12), "a member of -1 bytes"),
    "a member of more bytes than there are": (header(b"a", size=1 << 32), "truncated"),
    "a record without a length": (extended(b"path=abc\n"), "extended header is damaged"),
    "a record that is too long": (extended(b"99 a=bcd\n"), "extended header is damaged"),
    "a record that does not end": (extended(b"9 a=bcdef"), "extended header is damaged"),
    "a record of length nought": (extended(b"0 a=b\n"), "extended header is damaged"),
    "a record without a value": (extended(b"8 abcde\n"), "a record without a value"),
    "a size that is no number": (described(size=b"-5"), "size of an extended header is no number"),
    "a size of thousands of digits": (described(size=b"9" * 5000), "is no number"),
    "a time that is none": (described(mtime=b"nan"), "is no time"),
    "an attribute that is no base64": (described(LIBARCHIVE_xattr_user=b"a"), "attribute is damaged"),
    "an extended header of gigabytes": (header(b"p", b"x", 1 << 31), "an extended header of 2147483648 bytes"),
    "a second volume": (header(b"a", b"M"), "second volume"),
    "a sparse map that goes backwards": (
        described(b"x" * 10, GNU_sparse_map=b"100,5,50,5", GNU_sparse_size=b"200"), "contradicts itself",
    ),
    "a sparse map beyond the file": (
        described(b"x" * 50, GNU_sparse_map=b"100,50", GNU_sparse_size=b"120"), "contradicts itself",
    ),
    "a sparse map of more data than there is": (
        described(b"x" * 5, GNU_sparse_map=b"0,500", GNU_sparse_size=b"500"), "more data than there is",
    ),
    "half a sparse map": (described(b"x" * 5, GNU_sparse_map=b"0,5,9", GNU_sparse_size=b"50"), "map of a sparse file"),
    "a sparse file without a map": (described(GNU_sparse_realsize=b"5"), "map of a sparse file is damaged"),
    "a sparse map without an end": (
        described(b"9" * 512, GNU_sparse_major=b"1", GNU_sparse_realsize=b"5"), "has more than",
    ),
    "a sparse map that is not there": (
        described(b"500000\n", GNU_sparse_major=b"1", GNU_sparse_realsize=b"5"), "truncated",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "said"), BAD_TARS.values(), ids=BAD_TARS)
def test_damage_in_a_tar_is_told(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "x").write_bytes(data + END)
    with pytest.raises(BadArchive, match=said):
        open_rootfs(tmp_path / "x")


FOREIGN = {
    "an empty file": (b"", "it is empty"),
    "a text": (b"hello\n" * 200, "a text, and no archive"),
    "random bytes": (b"\x9a\x3c\x01\x88" * 300, "nothing that is known"),
    "a program": (b"\x7fELF" + bytes(1000), "an ELF program"),
    "an ext4 image": (bytes(1080) + b"\x53\xef" + bytes(5000), "an ext2, ext3 or ext4 image"),
    "a squashfs image": (b"hsqs" + bytes(1000), "a squashfs image"),
    "an erofs image": (bytes(1024) + b"\xe2\xe1\xf5\xe0" + bytes(5000), "an erofs image"),
    "a zip": (b"PK\x03\x04" + bytes(1000), "a zip archive"),
    "a Debian package": (b"!<arch>\ndebian-binary", "an ar archive or a Debian package"),
    "an RPM": (b"\xed\xab\xee\xdb" + bytes(600), "an RPM package"),
    "a disk image": (b"\xeb" + bytes(509) + b"\x55\xaa" + bytes(512), "a disk image"),
    "lz4": (b"\x04\x22\x4d\x18" + bytes(600), "cannot read lz4"),
    "lzo": (b"\x89LZO\0\r\n\x1a\n" + bytes(600), "cannot read lzo"),
    "lzip": (b"LZIP" + bytes(600), "cannot read lzip"),
}


@pytest.mark.parametrize(("data", "said"), FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_archive_is_called_what_it_is(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(BadArchive, match=said):
        open_rootfs(tmp_path / "x")


@needs_program("gzip")
def test_what_is_in_a_compressed_file_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello\n" * 200)
    once = compressed(tmp_path / "x", "gzip", "-c")
    with pytest.raises(BadArchive, match="it is gzip, and what is in it is a text, and no archive"):
        open_rootfs(once)
    with pytest.raises(BadArchive, match="it is gzip, and what is in it is compressed once more, by gzip"):
        open_rootfs(compressed(once, "gzip", "-c"))


@needs_program("gzip")
def test_junk_behind_a_compressed_tar_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(TAR + END)
    packed = compressed(tmp_path / "x", "gzip", "-c")
    packed.write_bytes(packed.read_bytes() + bytes(100) + b"junk")
    with pytest.raises(BadArchive, match="there is junk at byte"):
        open_rootfs(packed)


@pytest.mark.parametrize("kind", ["FIFO", "socket", "device", "nowhere", "dangling link", "loop", "name with a zero"])
def test_what_cannot_be_opened_never_hangs(tmp_path: Path, kind: str) -> None:
    import socket

    place = tmp_path / "x"
    match kind:
        case "FIFO":
            os.mkfifo(place)
        case "socket":
            socket.socket(socket.AF_UNIX).bind(str(place))
        case "device":
            place = Path("/dev/zero")
        case "dangling link":
            place.symlink_to("nowhere")
        case "loop":
            place.symlink_to("x")
        case "name with a zero":
            place = tmp_path / "a\0b"
    with pytest.raises(UsageError, match="opening"):
        open_rootfs(place)


def command(module: list[str], target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *module],
        cwd=target.parent,
        env={"PYTHONPATH": str(PACKAGE_PARENT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("data", [TAR[:5000], CPIO[:300], b"", b"\x1f\x8b" + bytes(50), b"hello"], ids=range(5))
def test_status_and_streams_of_the_commands(tmp_path: Path, data: bytes) -> None:
    target = tmp_path / "x"
    target.write_bytes(data)
    for module, status in (
        (["rootfs_kit", "check", "x"], 2),
        (["rootfs_kit", "expect", "x"], 2),
        (["pytest", "-p", "rootfs_kit.pytest_plugin", "--rootfs=x"], 4),
    ):
        done = command(module, target)
        assert done.returncode == status, done.stderr
        assert done.stdout == "" and "Traceback" not in done.stderr
        assert "x" in done.stderr and len(done.stderr.splitlines()) <= 4


def test_names_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(header(b"etc/", b"5") + header(b"a\x1b]0;owned\x07\n/../b") + END)
    done = command(["rootfs_kit", "check", "x"], tmp_path / "x")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr and "\x07" not in done.stdout + done.stderr


def test_real_tools_refuse_what_we_refuse(tmp_path: Path) -> None:
    """That the cases above are damage to others as well, and not only to us."""
    (tmp_path / "x").write_bytes(TAR[:5000])
    with pytest.raises(subprocess.CalledProcessError):
        run("tar", "-tf", tmp_path / "x")
