"""Compressed archives: the real programs undo them, and the same input gives the same bytes."""

from __future__ import annotations

import io
import subprocess
import time
from pathlib import Path

import pytest

from rootfs_kit.output.compress import Compression, compressed, compression_of
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
    [("a.tar", None), ("a.cpio.gz", Compression.GZIP), ("a.tar.xz", Compression.XZ), ("zst", None), ("a.zst", ".zst")],
)
def test_the_suffix_says_how(name: str, compression: Compression | None) -> None:
    assert compression_of(Path(name)) == compression
