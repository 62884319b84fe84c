"""Compressed archives: the real programs undo them, and the same input gives the same bytes."""

from __future__ import annotations

import io
import subprocess
import time
from pathlib import Path

import pytest

from rootfs_kit.errors import UsageError
from rootfs_kit.output.compress import Compression, compressed, compression_of, format_of, is_name_of_archive
from rootfs_kit.request import Format
from tests.support.requirements import needs_program

CONTENT = b"".join(b"%d squared is %d\n" % (number, number * number) for number in range(20_000))
PROGRAMS = {Compression.GZIP: "gzip", Compression.XZ: "xz", Compression.ZSTD: "zstd"}


def _compress(compression: Compression) -> bytes:
    output = io.BytesIO()
    with compressed(output, compression) as stream:
        for start in range(0, len(CONTENT), 65_536):
            stream.write(CONTENT[start : start + 65_536])
    return output.getvalue()


@needs_program(*PROGRAMS.values())
@pytest.mark.parametrize("compression", list(Compression))
def test_the_real_program_undoes_it(compression: Compression) -> None:
    done = subprocess.run(
        [PROGRAMS[compression], "--decompress", "--stdout"], input=_compress(compression), capture_output=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == CONTENT


@pytest.mark.parametrize("compression", list(Compression))
def test_another_time_makes_no_difference(compression: Compression, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _compress(compression)
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    assert _compress(compression) == first


@needs_program("xz")
def test_xz_is_checked_by_the_sum_that_the_kernel_knows(tmp_path: Path) -> None:
    file = tmp_path / "content.xz"
    file.write_bytes(_compress(Compression.XZ))
    listed = subprocess.run(["xz", "--robot", "--list", str(file)], capture_output=True, text=True, check=True).stdout
    assert "CRC32" in listed


@pytest.mark.parametrize(
    ("name", "compression"),
    [
        ("a.tar", None),
        ("a.cpio.gz", Compression.GZIP),
        ("a.tar.xz", Compression.XZ),
        ("zst", None),
        ("a.zst", ".zst"),
        ("a.tgz", Compression.GZIP),
        ("a.taz", Compression.GZIP),
        ("a.txz", Compression.XZ),
        ("a.tzst", Compression.ZSTD),
        ("A.TAR.GZ", Compression.GZIP),
        ("6.12", None),
        ("initrd.img", None),
    ],
)
def test_the_suffix_says_how(name: str, compression: Compression | None) -> None:
    assert compression_of(Path(name)) == compression


@pytest.mark.parametrize(
    ("name", "means"), [("a.tar.bz2", "bzip2"), ("a.tbz2", "bzip2"), ("i.lz4", "lz4"), ("a.tar.Z", "compress")]
)
def test_a_suffix_that_asks_for_something_else_is_refused(name: str, means: str) -> None:
    with pytest.raises(UsageError, match=f"means {means}, which is not supported"):
        compression_of(Path(name))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.tar", Format.TAR), ("debian-6.12.tar.gz", Format.TAR), ("a.TGZ", Format.TAR), ("a.tar.bz2", Format.TAR),
        ("a.cpio", Format.CPIO), ("a.cpio.zst", Format.CPIO), ("initrd.gz", None), ("tar", None), ("rootfs-6.12", None),
    ],
)  # fmt: skip
def test_a_name_says_what_kind_of_archive_it_is(name: str, form: Format | None) -> None:
    assert format_of(Path(name)) == form


@pytest.mark.parametrize(
    ("name", "is_one"), [("initrd.gz", True), ("a.bz2", True), ("a.tar", True), ("rootfs-6.12", False)]
)
def test_a_name_may_be_that_of_an_archive_without_saying_which(name: str, is_one: bool) -> None:
    assert is_name_of_archive(Path(name)) is is_one
