"""Archives that are made to use up the judge's disk, memory or patience: refused, within bounds that are told."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from rootfs_kit.errors import BadArchive, HostLacks
from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.archives import media
from rootfs_kit.tree.archives.limits import DEFAULT_LIMITS, GIB, MIB, Limits
from rootfs_kit.tree.archives.opening import open_source
from rootfs_kit.tree.archives.target import parse_target
from tests.tree_archive.workshop import END, TRAILER, Image, body_blocks, header, layout, newc, pax, put_blob, run

# The peak of this program alone, in MiB (proc_pid_status(5)); ru_maxrss begins with what the process before it had.
PRINT_PEAK = """
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM:")))
"""


def opened(path: Path, **limits: int) -> None:
    open_source(parse_target(str(path)), None, replace(DEFAULT_LIMITS, **limits))


def gzip_bomb(path: Path, size: int) -> Path:
    """A tar of one file of zeros: a thousandth of what comes out."""
    packer = zlib.compressobj(9, wbits=31)
    with path.open("wb") as file:
        file.write(packer.compress(header(b"zeros", size=size)))
        for _ in range(size // MIB):
            file.write(packer.compress(bytes(MIB)))
        file.write(packer.compress(END) + packer.flush())
    return path


def zstd_bomb(path: Path, blocks: int) -> Path:
    """A frame of blocks of four bytes, each of which stands for 128 KiB (RFC 8878, RLE blocks)."""
    block = (128 * 1024 << 3 | 1 << 1).to_bytes(3, "little") + b"a"
    path.write_bytes(b"\x28\xb5\x2f\xfd\x00\x58" + block * blocks)
    return path


def test_bomb_is_stopped_by_its_ratio(tmp_path: Path) -> None:
    with pytest.raises(BadArchive, match="made to fill disks"):
        opened(gzip_bomb(tmp_path / "x", 64 * MIB), ratio_from=32 * MIB)


def test_bomb_is_stopped_by_its_size(tmp_path: Path) -> None:
    with pytest.raises(BadArchive, match=r"unpacks to more than 0\.03125 GiB"):
        opened(gzip_bomb(tmp_path / "x", 64 * MIB), unpacked=32 * MIB)
    with pytest.raises(BadArchive, match="--rootfs-max-size"):
        open_rootfs(tmp_path / "x", max_size=MIB)
    assert open_rootfs(tmp_path / "x", max_size=65 * MIB).file("/zeros").size == 64 * MIB


def test_bomb_in_a_layer_of_initrds_counts_as_a_whole(tmp_path: Path) -> None:
    part = gzip.compress(newc(b"zeros", 0o100644, bytes(3 * MIB)) + TRAILER)
    (tmp_path / "x").write_bytes((part + bytes(-len(part) % 4)) * 20)
    with pytest.raises(BadArchive, match="unpacks to more than"):
        opened(tmp_path / "x", unpacked=32 * MIB)


def test_zeros_take_no_room(tmp_path: Path) -> None:
    """What is zero becomes a hole in the temporary file."""
    tree = open_rootfs(gzip_bomb(tmp_path / "x", 256 * MIB))
    with tree.open("/zeros") as file:
        spool = file.raw._medium._file  # type: ignore[attr-defined]
        assert os.fstat(spool.fileno()).st_blocks * 512 < 8 * MIB


@pytest.mark.slow
def test_zstd_bomb_of_gigabytes_is_stopped_in_little_memory(tmp_path: Path) -> None:
    bomb = zstd_bomb(tmp_path / "x", 200_000)
    code = (
        "import sys\n"
        "from rootfs_kit.errors import BadArchive\n"
        "from rootfs_kit.tree import open_rootfs\n"
        "try:\n    open_rootfs(sys.argv[1])\n"
        "except BadArchive as error:\n    print(error.found)\n"
    ) + PRINT_PEAK
    said = run(sys.executable, "-c", code, bomb).decode().splitlines()
    assert "made to fill disks" in said[0]
    assert int(said[1]) < 300


def test_xz_that_asks_for_gigabytes_of_memory_is_refused(tmp_path: Path) -> None:
    import lzma

    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}]
    data = bytearray(lzma.compress(header(b"a") + END, format=lzma.FORMAT_XZ, filters=filters))
    # The block header's filter properties: the dictionary's size as an exponent; its CRC32 follows the padding.
    properties = data.index(b"\x21\x01", 12) + 2
    data[properties] = 39
    end = 12 + (data[12] + 1) * 4
    data[end - 4 : end] = zlib.crc32(bytes(data[12 : end - 4])).to_bytes(4, "little")
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(BadArchive, match=r"(?i)memory"):
        open_rootfs(tmp_path / "x")


def test_zstd_that_asks_for_a_window_of_gigabytes_is_refused(tmp_path: Path) -> None:
    window = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=window).compressobj()
    (tmp_path / "x").write_bytes(packer.compress(header(b"a") + END) + packer.flush())
    with pytest.raises(BadArchive, match=r"(?i)memory|window"):
        open_rootfs(tmp_path / "x")


def test_full_disk_is_an_error_that_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(header(b"a", size=40 * MIB) + os.urandom(40 * MIB) + END, 0))
    monkeypatch.setattr(media, "KEPT_FREE", 1 << 60)
    with pytest.raises(HostLacks, match="TMPDIR"):
        open_rootfs(tmp_path / "x")


def test_no_room_at_all_is_such_an_error_too(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes write(2) fail as a full disk does."""
    (tmp_path / "x").write_bytes(gzip.compress(header(b"a", size=4 * MIB) + os.urandom(4 * MIB) + END, 0))
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({MIB}, {MIB}))\n"
        "from rootfs_kit.errors import HostLacks\n"
        "from rootfs_kit.tree import open_rootfs\n"
        "try:\n    open_rootfs(sys.argv[1])\n"
        "except HostLacks as error:\n    print(error)\n"
    )
    assert "TMPDIR" in run(sys.executable, "-c", code, tmp_path / "x").decode()


def test_nothing_is_left_in_the_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(header(b"a", size=5) + body_blocks(b"hello") + END))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    tree = open_rootfs(tmp_path / "x")
    assert tree.file("/a").read_text() == "hello"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"".join(header(b"%d" % number) for number in range(1001)) + END)
    opened(tmp_path / "x", entries=1001)
    with pytest.raises(BadArchive, match="more than 1000 entries"):
        opened(tmp_path / "x", entries=1000)


def test_directories_that_nobody_recorded_count_too(tmp_path: Path) -> None:
    blocks = (
        pax({b"path": b"/".join(b"%d" % (number + step) for step in range(100))}) + header(b"a") for number in range(11)
    )
    (tmp_path / "x").write_bytes(b"".join(blocks) + END)
    with pytest.raises(BadArchive, match="more than 1000 entries"):
        opened(tmp_path / "x", entries=1000)


def test_names_of_megabytes_are_refused(tmp_path: Path) -> None:
    """A path of half a million components would make as many directories, each with a longer path."""
    deep = pax({b"path": b"a/" * 400_000 + b"b"}) + header(b"a")
    (tmp_path / "x").write_bytes(deep + END)
    with pytest.raises(BadArchive, match="names, links and attributes take more than"):
        open_rootfs(tmp_path / "x")


def test_long_links_are_not_followed_without_end(tmp_path: Path) -> None:
    """Forty links of 4 kB each, and a new way through them for every member."""
    links = [
        pax({b"linkpath": b"d/../" * 800 + b"l%d" % (number + 1)}) + header(b"l%d" % number, b"2")
        for number in range(38)
    ]
    ways = (header(b"l0/way%d/x" % number) for number in range(5000))
    (tmp_path / "x").write_bytes(b"".join([header(b"d/", b"5"), *links, header(b"l38/", b"5"), *ways, END]))
    made = layout(tmp_path / "layout", Image((tmp_path / "x",)))
    with pytest.raises(BadArchive, match="names, links and attributes take more than"):
        opened(made, records=10 * MIB)


def test_attributes_of_megabytes_are_refused(tmp_path: Path) -> None:
    blocks = (pax({b"SCHILY.xattr.user.a": b"v" * 1_000_000}) + header(b"%d" % number) for number in range(20))
    (tmp_path / "x").write_bytes(b"".join(blocks) + END)
    with pytest.raises(BadArchive, match="names, links and attributes take more than"):
        opened(tmp_path / "x", records=10 * MIB)


def test_paths_of_four_thousand_directories_are_read(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x", "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("/".join(["d"] * 4000) + "/file")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"deep"))
    tree = open_rootfs(tmp_path / "x")
    assert len(tree) == 4002
    assert tree.file("/" + "/".join(["d"] * 4000) + "/file").read_text() == "deep"


def million_in_tar() -> Iterator[bytes]:
    for number in range(1_000):
        yield header(b"usr/share/dir%d/" % number, b"5")
        yield from (header(b"usr/share/dir%d/file-%d.txt" % (number, each)) for each in range(999))
    yield END


def million_in_cpio() -> Iterator[bytes]:
    yield newc(b"usr", 0o40755) + newc(b"usr/share", 0o40755)
    for number in range(1_000):
        yield newc(b"usr/share/dir%d" % number, 0o40755)
        yield from (newc(b"usr/share/dir%d/file-%d.txt" % (number, each), 0o100644) for each in range(999))
    yield TRAILER


@pytest.mark.slow
@pytest.mark.parametrize("entries", [million_in_tar, million_in_cpio], ids=["tar", "cpio"])
def test_a_million_entries_take_less_than_400_megabytes(tmp_path: Path, entries) -> None:
    with (tmp_path / "x").open("wb") as file:
        for block in entries():
            file.write(block)
    code = ("import sys\nfrom rootfs_kit.tree import open_rootfs\nprint(len(open_rootfs(sys.argv[1])))\n") + PRINT_PEAK
    count, megabytes = map(int, run(sys.executable, "-c", code, tmp_path / "x").split())
    assert count == 1_000_003
    assert megabytes < 400


def test_default_bounds_are_those_that_are_told() -> None:
    assert Limits() == Limits(unpacked=16 * GIB, ratio=200, entries=2_000_000, records=256 * MIB)


def test_reading_an_archive_keeps_few_files_open(tmp_path: Path) -> None:
    """Each content is read through the one descriptor of its archive."""
    (tmp_path / "x").write_bytes(
        b"".join(header(b"%d" % number, size=1) + body_blocks(b"x") for number in range(200)) + END
    )
    code = (
        "import resource, sys\n"
        "from rootfs_kit.tree import open_rootfs\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "tree = open_rootfs(sys.argv[1])\n"
        "files = [tree.open(entry.path) for entry in tree.walk() if entry.is_file]\n"
        "print(sum(file.read() == b'x' for file in files))\n"
    )
    assert run(sys.executable, "-c", code, tmp_path / "x") == b"200\n"


def test_archive_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    from rootfs_kit.errors import CouldNotLook

    (tmp_path / "x").write_bytes(header(b"a", size=9000) + body_blocks(b"x" * 9000) + END)
    tree = open_rootfs(tmp_path / "x")
    os.truncate(tmp_path / "x", 2000)
    with pytest.raises(CouldNotLook, match="became shorter"):
        tree.read_bytes("/a")


def test_terabytes_of_zeros_are_not_read_through(tmp_path: Path) -> None:
    (tmp_path / "zeros").touch()
    (tmp_path / "initrd").write_bytes(newc(b"init", 0o100644) + TRAILER)
    for name in ("zeros", "initrd"):
        os.truncate(tmp_path / name, 1 << 40)
    with pytest.raises(BadArchive, match="nothing that is known"):
        open_rootfs(tmp_path / "zeros")
    with pytest.raises(BadArchive, match="more than 256 MiB of zeros"):
        open_rootfs(tmp_path / "initrd")


def test_layer_of_terabytes_is_not_read_through(tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(header(b"a") + END)
    made = layout(tmp_path / "layout", Image((tmp_path / "layer",)))
    blob = next(path for path in (made / "blobs/sha256").iterdir() if path.read_bytes()[:1] == b"a")
    os.truncate(blob, 1 << 40)
    with pytest.raises(BadArchive, match="bytes instead of"):
        open_rootfs(made)
    index = json.loads((made / "index.json").read_text())
    manifest = json.loads((made / "blobs/sha256" / index["manifests"][0]["digest"][7:]).read_text())
    manifest["layers"][0]["size"] = 1 << 40
    index["manifests"] = [put_blob(made / "blobs/sha256", json.dumps(manifest).encode(), "")]
    (made / "index.json").write_text(json.dumps(index))
    with pytest.raises(BadArchive, match="a layer of 1099511627776 bytes"):
        open_rootfs(made)
