"""Random trees come back from an archive as they went in, and random bytes are an error of ours or a tree."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootfs_kit.errors import RootfsKitError
from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.archives.limits import DEFAULT_LIMITS, MIB, Budget
from rootfs_kit.tree.archives.media import Media
from rootfs_kit.tree.archives.recognition import read_archive
from rootfs_kit.tree.archives.source import ArchiveSource
from rootfs_kit.tree.tree import RootfsTree
from tests.tree_archive.workshop import END, TRAILER, body_blocks, header, newc, pax

MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LIMITS = DEFAULT_LIMITS.__class__(unpacked=16 * MIB, entries=5000, records=4 * MIB)


def read(data: bytes) -> ArchiveSource:
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(data)
    file.flush()
    media = Media(Budget("x", LIMITS))
    return read_archive(media.add(file, "x"), media)


names = st.binary(min_size=1, max_size=30).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
entries = st.one_of(
    st.tuples(st.just("file"), st.integers(0, 0o7777), st.integers(0, 1 << 20), st.binary(max_size=600)),
    st.tuples(st.just("dir"), st.integers(0, 0o7777), st.integers(0, 1 << 20), st.just(b"")),
    st.tuples(st.just("link"), st.just(0o777), st.integers(0, 1 << 20), names),
    st.tuples(st.just("fifo"), st.integers(0, 0o7777), st.integers(0, 1 << 20), st.just(b"")),
    st.tuples(st.just("char"), st.integers(0, 0o7777), st.integers(0, 1 << 20), st.binary(min_size=2, max_size=2)),
)
trees = st.recursive(
    st.dictionaries(names, entries, max_size=6),
    lambda below: st.dictionaries(names, st.one_of(entries, below), max_size=6),
    max_leaves=20,
)
FORMATS = {"file": 0o100000, "dir": 0o40000, "link": 0o120000, "fifo": 0o10000, "char": 0o20000}
KINDS = {"file": "file", "dir": "directory", "link": "symlink", "fifo": "FIFO", "char": "character device"}


def flat(tree: dict, above: bytes = b"") -> list[tuple[bytes, tuple]]:
    """Paths and entries, directories before what is in them."""
    found: list[tuple[bytes, tuple]] = []
    for name, value in tree.items():
        if isinstance(value, dict):
            found.append((above + name, ("dir", 0o755, 0, b"")))
            found += flat(value, above + name + b"/")
        else:
            found.append((above + name, value))
    return found


def as_tar(tree: dict, form: int) -> bytes:
    output = io.BytesIO()
    kinds = {"dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "fifo": tarfile.FIFOTYPE, "char": tarfile.CHRTYPE}
    with tarfile.open(fileobj=output, mode="w", format=form) as archive:
        for path, (kind, mode, uid, data) in flat(tree):
            info = tarfile.TarInfo(os.fsdecode(path))
            info.mode, info.uid, info.type = mode, uid, kinds.get(kind, tarfile.REGTYPE)
            if kind == "link":
                info.linkname = os.fsdecode(data)
            if kind == "char":
                info.devmajor, info.devminor = data
            info.size = len(data) if kind == "file" else 0
            archive.addfile(info, io.BytesIO(data) if kind == "file" else None)
    return output.getvalue()


def as_cpio(tree: dict) -> bytes:
    parts = []
    for number, (path, (kind, mode, uid, data)) in enumerate(flat(tree)):
        device = (data[0], data[1]) if kind == "char" else (0, 0)
        body = data if kind in ("file", "link") else b""
        parts.append(newc(path, FORMATS[kind] | mode, body, ino=number, uid=uid, device=device))
    return b"".join([*parts, TRAILER]) if parts else TRAILER


def assert_same(source: ArchiveSource, tree: dict) -> None:
    found = RootfsTree("x", source)
    assert found.unreadable == ()
    wanted = {"/" + os.fsdecode(path): entry for path, entry in flat(tree)}
    assert {entry.path for entry in found.walk()} == {*wanted, "/"}
    for path, (kind, mode, uid, data) in wanted.items():
        entry = found.lstat(path)
        assert entry is not None
        assert (entry.kind, entry.mode, entry.uid) == (KINDS[kind], mode, uid)
        if kind == "file":
            assert source.open(entry).read() == data
        elif kind == "link":
            assert entry.target == os.fsdecode(data)
        elif kind == "char":
            assert entry.device == (data[0], data[1])


@MANY
@given(trees, st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_random_trees_come_back_from_a_tar(tree: dict, form: int) -> None:
    assert_same(read(as_tar(tree, form)), tree)


@MANY
@given(trees)
def test_random_trees_come_back_from_an_initrd(tree: dict) -> None:
    assert_same(read(as_cpio(tree)), tree)
    assert_same(read(gzip.compress(as_cpio(tree), 1)), tree)


def walked(data: bytes) -> None:
    """All that a suite would do to it; whatever is wrong is one of our errors."""
    try:
        source = read(data)
        tree = RootfsTree("x", source)
        for entry in tree.walk():
            if entry.is_file and entry.size < MIB:
                source.open(entry).read()
            source.xattrs(entry)
            tree.file(entry.path).describe()
    except RootfsKitError as error:
        assert error.found and error.hint


SEEDS = [
    as_tar({b"etc": {b"a": ("file", 0o644, 0, b"hello"), b"l": ("link", 0o777, 0, b"a")}}, tarfile.PAX_FORMAT),
    header(b"././@LongLink", b"L", 5) + body_blocks(b"long\0") + header(b"x", size=3) + body_blocks(b"abc") + END,
    pax({b"path": b"p", b"SCHILY.xattr.user.a": b"v"}) + header(b"x", size=3) + body_blocks(b"abc") + END,
    pax({b"GNU.sparse.major": b"1", b"GNU.sparse.realsize": b"900", b"GNU.sparse.name": b"s"})
    + header(b"x", size=515) + body_blocks(b"1\n400\n3\n") + body_blocks(b"abc") + END,
    header(b"s", b"S", 3, rest=b"%011o\0%011o\0" % (100, 3) + bytes(73) + b"%011o\0" % 200) + body_blocks(b"abc") + END,
    header(b"a", size=1) + body_blocks(b"x") + header(b"b", b"1", link=b"a") + header(b"b", b"5") + END,
    as_cpio({b"etc": {b"a": ("file", 0o644, 0, b"hello"), b"l": ("link", 0o777, 0, b"a")}}),
    newc(b"a", 0o100644, b"x", ino=1, links=2) + newc(b"b", 0o100644, ino=1, links=2) + TRAILER + bytes(8),
    newc(b"a", 0o100644) + TRAILER + gzip.compress(newc(b"b", 0o100644) + TRAILER, mtime=0),
    gzip.compress(header(b"a") + END, mtime=0),
]  # fmt: skip


@MANY
@given(st.data())
def test_random_changes_are_read_or_refused(data: st.DataObject) -> None:
    seed = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(seed) - 1))
        seed[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
        if not seed:
            seed = bytearray(b"\0")
    walked(bytes(_with_checksums(seed)) if data.draw(st.booleans()) else bytes(seed))


def _with_checksums(data: bytearray) -> bytearray:
    """Right again, so that what is behind the checksum is reached."""
    for place in range(0, len(data) - 511, 512):
        if data[place + 257 : place + 262] == b"ustar":
            data[place + 148 : place + 156] = b" " * 8
            data[place + 148 : place + 156] = b"%06o\0 " % sum(data[place : place + 512])
    return data


@MANY
@given(
    st.binary(max_size=2000),
    st.sampled_from([b"", b"070701", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh9"]),
)
def test_random_bytes_are_refused(data: bytes, start: bytes) -> None:
    walked(start + data)


crossing_members = st.tuples(
    st.sampled_from("fdlhp"),
    st.lists(st.sampled_from(["a", "b", "..", "c", "."]), min_size=1, max_size=4),
    st.sampled_from(["a", "b", "/a/b", "../c", "a/b", "nowhere", "."]),
)


@MANY
@given(st.lists(crossing_members, max_size=12))
def test_random_members_stay_inside_and_the_tree_is_whole(members: list[tuple[str, list[str], str]]) -> None:
    """Members over, below and beside each other: every directory of the index is one, and every row has its place."""
    kinds = {"f": b"0", "d": b"5", "l": b"2", "h": b"1", "p": b"6"}
    modes = {"f": 0o100644, "d": 0o40755, "l": 0o120777, "h": 0o100644, "p": 0o10644}
    tar = (
        b"".join(header("/".join(path).encode(), kinds[kind], link=text.encode()) for kind, path, text in members) + END
    )
    cpio = b"".join(
        newc(
            "/".join(path).encode(),
            modes[kind],
            text.encode() if kind == "l" else b"",
            ino=len(text),
            links=1 + (kind == "h"),
        )
        for kind, path, text in members
    )
    for data in (tar, cpio + TRAILER):
        index = read(data).scan()
        directories = {entry.path for entry in index.walk("/") if entry.is_directory}
        assert directories == set(index.directories)
        assert len(index) == sum(1 for _ in index.walk("/"))
        assert not any(".." in path.split("/") for path in directories)


FOUND = {
    "a sparse file without a map": pax({b"GNU.sparse.realsize": b"5"}) + header(b"a") + END,
    "a hard link in an initrd to a link that took the file's place": newc(b"a", 0o100644, ino=1, links=2)
    + newc(b"a", 0o120777, b"x") + newc(b"b", 0o100644, ino=1, links=2) + TRAILER,
}  # fmt: skip
"""What ended in a traceback once: it is tried for ever."""


@pytest.mark.parametrize("data", FOUND.values(), ids=FOUND)
def test_found_cases_stay_mended(data: bytes) -> None:
    walked(data)


def test_seeds_are_good(tmp_path: Path) -> None:
    for seed in SEEDS:
        (tmp_path / "x").write_bytes(seed)
        assert len(open_rootfs(tmp_path / "x")) > 1
