"""The same tree, as a directory and in each form that real tools pack it in, is the same tree to every question."""

from __future__ import annotations

import shutil
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from rootfs_kit.tree import open_rootfs
from tests.support.requirements import needs_docker, needs_program, needs_root, third_party_data
from tests.tree_archive.workshop import (
    Image,
    compressed,
    cpio,
    docker_save,
    layout,
    run,
    shared_names,
    tar,
    told,
)

pytestmark = [needs_root(), needs_program("tar", "cpio")]

PAX = ("--format=pax", "--xattrs", "--xattrs-include=*")
COMPRESSIONS = {
    "gzip": ("gzip", "-c"),
    "xz": ("xz", "-c"),
    "zstd": ("zstd", "-qc"),
    "zstd with a long window": ("zstd", "-qc", "--long=27"),
    "bzip2": ("bzip2", "-c"),
    "lzma": ("xz", "-c", "--format=lzma"),
}


def assert_same(archive: Path | str, directory: Path, kind: str, *, xattrs: bool = True) -> None:
    found, wanted = open_rootfs(archive), open_rootfs(directory)
    assert found.source_kind == kind
    assert found.unreadable == ()
    assert told(found, xattrs=xattrs) == told(wanted, xattrs=xattrs)
    assert shared_names(found) == shared_names(wanted)
    assert len(found) == len(wanted)


@pytest.mark.parametrize("form", ["gnu", "pax", "posix"])
def test_tar_of_gnu_tar(packed_tree: Path, tmp_path: Path, form: str) -> None:
    assert_same(tar(packed_tree, tmp_path / "x", f"--format={form}"), packed_tree, "tar", xattrs=False)


def test_tar_keeps_attributes_and_capabilities(packed_tree: Path, tmp_path: Path) -> None:
    found = tar(packed_tree, tmp_path / "x", *PAX)
    assert_same(found, packed_tree, "tar")
    assert "security.capability" in open_rootfs(found).xattrs("/usr/bin/other-name")


def test_ustar_holds_what_fits_into_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    directory = root / "/".join(["a-long-name-of-a-directory"] * 7)[:140].strip("/")
    directory.mkdir(parents=True)
    (directory / "file").write_text("long")
    assert_same(tar(root, tmp_path / "x", "--format=ustar"), root, "tar")


def test_v7_tar_of_gnu_tar(tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/passwd").write_text("root")
    (tmp_path / "root/lib").symlink_to("usr/lib")
    assert_same(tar(tmp_path / "root", tmp_path / "x", "--format=v7"), tmp_path / "root", "tar")


@needs_program("bsdtar")
def test_tar_of_bsdtar(packed_tree: Path, tmp_path: Path) -> None:
    run("bsdtar", "-C", packed_tree, "--format=pax", "-cf", tmp_path / "x", ".")
    assert_same(tmp_path / "x", packed_tree, "tar")


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_tar_of_python(packed_tree: Path, tmp_path: Path, form: int) -> None:
    with tarfile.open(tmp_path / "x", "w", format=form) as archive:
        archive.add(packed_tree, ".")
    assert_same(tmp_path / "x", packed_tree, "tar", xattrs=False)


@pytest.mark.parametrize("command", COMPRESSIONS.values(), ids=COMPRESSIONS)
@pytest.mark.parametrize("form", ["tar", "cpio"])
def test_compressed_archives(packed_tree: Path, tmp_path: Path, command: tuple[str, ...], form: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]} on PATH")
    pack: Callable[..., Path] = tar if form == "tar" else cpio
    archive = compressed(pack(packed_tree, tmp_path / "x"), *command)
    assert_same(archive, packed_tree, form, xattrs=False)


@needs_program("gzip", "xz", "zstd")
@pytest.mark.parametrize("command", [("gzip", "-c"), ("xz", "-c"), ("zstd", "-qc")], ids=["gzip", "xz", "zstd"])
def test_streams_that_make_one_tar_together(packed_tree: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    """As pigz, pixz and pzstd write them; of zstd also with a frame in front that holds no data (RFC 8878, 3.1.2)."""
    whole = tar(packed_tree, tmp_path / "x").read_bytes()
    joined = b"\x50\x2a\x4d\x18\x04\0\0\0skip" if command[0] == "zstd" else b""
    for begin in range(0, len(whole), 50_000):
        (tmp_path / "part").write_bytes(whole[begin : begin + 50_000])
        joined += compressed(tmp_path / "part", *command).read_bytes()
    (tmp_path / "joined").write_bytes(joined + bytes(512))
    assert_same(tmp_path / "joined", packed_tree, "tar", xattrs=False)


@pytest.mark.parametrize("form", ["newc", "crc"])
def test_initrd_of_gnu_cpio(packed_tree: Path, tmp_path: Path, form: str) -> None:
    assert_same(cpio(packed_tree, tmp_path / "x", form), packed_tree, "cpio", xattrs=False)


@needs_program("bsdtar")
def test_initrd_of_bsdtar(packed_tree: Path, tmp_path: Path) -> None:
    run("bsdtar", "-C", packed_tree, "--format=newc", "-cf", tmp_path / "x", ".")
    assert_same(tmp_path / "x", packed_tree, "cpio", xattrs=False)


def test_name_says_nothing(packed_tree: Path, tmp_path: Path) -> None:
    misnamed = compressed(tar(packed_tree, tmp_path / "x"), "gzip", "-c").rename(tmp_path / "initrd.img.xz")
    assert open_rootfs(misnamed).source_kind == "tar"


@needs_docker()
def test_docker_save(packed_tree: Path, tmp_path: Path) -> None:
    name = f"rootfs-kit-test:{uuid.uuid4().hex[:12]}"
    saved = docker_save(tar(packed_tree, tmp_path / "x.tar", *PAX), tmp_path / "saved", name)
    assert_same(saved, packed_tree, "docker-archive")
    assert_same(f"docker-archive:{saved}:{name}", packed_tree, "docker-archive")
    assert_same(compressed(saved, "gzip", "-c"), packed_tree, "docker-archive")
    (tmp_path / "directory").mkdir()
    run("tar", "-C", tmp_path / "directory", "-xf", saved)
    assert_same(tmp_path / "directory", packed_tree, "docker-archive")


@pytest.mark.parametrize("command", [None, ("gzip", "-c"), ("zstd", "-qc")], ids=["plain", "gzip", "zstd"])
def test_oci_layout(packed_tree: Path, tmp_path: Path, command: tuple[str, ...] | None) -> None:
    layer = tar(packed_tree, tmp_path / "x.tar", *PAX)
    layer = compressed(layer, *command) if command else layer
    made = layout(tmp_path / "layout", Image((layer,), tag="v1"))
    assert_same(made, packed_tree, "oci")
    assert_same(f"oci:{made}:v1", packed_tree, "oci")
    archive = tar(made, tmp_path / "oci.tar")
    assert_same(archive, packed_tree, "oci")
    assert_same(f"oci-archive:{archive}:v1", packed_tree, "oci")


@needs_docker()
@needs_program("skopeo")
def test_images_that_skopeo_converts(packed_tree: Path, tmp_path: Path) -> None:
    name = f"rootfs-kit-test:{uuid.uuid4().hex[:12]}"
    saved = docker_save(tar(packed_tree, tmp_path / "x.tar", *PAX), tmp_path / "saved", name)
    for target in ("oci:layout:tag", "oci-archive:archive:tag", "docker-archive:again:some/name:tag"):
        run("skopeo", "copy", "-q", f"docker-archive:{saved}", target, cwd=tmp_path)
    assert_same(f"oci:{tmp_path}/layout:tag", packed_tree, "oci")
    assert_same(tmp_path / "archive", packed_tree, "oci")
    assert_same(f"docker-archive:{tmp_path}/again:some/name:tag", packed_tree, "docker-archive")


@pytest.mark.parametrize(
    "name",
    [
        "alpine/alpine-minirootfs-3.20.3-x86_64.tar.gz",
        "alpine/alpine-minirootfs-3.19.4-x86_64.tar.gz",
        "busybox/busybox-musl-amd64-rootfs.tar.gz",
    ],
)
def test_archives_of_others(tmp_path: Path, name: str) -> None:
    archive = third_party_data() / name
    run("tar", "-C", tmp_path, "--numeric-owner", "-xpf", archive)
    assert_same(archive, tmp_path, "tar")


def test_packages_of_alpine_are_read_out_of_its_archive() -> None:
    archive = third_party_data() / "alpine/alpine-minirootfs-3.20.3-x86_64.tar.gz"
    tree = open_rootfs(archive)
    assert tree.os_release["ID"] == "alpine"
    assert tree.packages["musl"].version
    assert tree.elf("/bin/busybox").machine == "x86_64"
