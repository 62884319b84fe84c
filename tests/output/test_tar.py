"""The tar: taken by GNU tar and Python, equal when unpacked, and the same whatever the tree's history."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.request import Format
from rootfs_kit.tree import open_rootfs
from tests.build.builds import differences, look
from tests.output.workshop import CONSOLE, EARLIER, EPOCH, archive, tree_of_all_sorts
from tests.support.requirements import needs_program, needs_root

pytestmark = needs_root()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tree_of_all_sorts(tmp_path / "tree")


@needs_program("tar")
def test_gnu_tar_unpacks_the_same_tree(root: Path, tmp_path: Path) -> None:
    os.setxattr(root / "bin/tool", "user.origin", b"\xff\0made")
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    options = ["--numeric-owner", "--same-permissions", "--xattrs", "--xattrs-include=*"]
    done = subprocess.run(
        ["tar", "-C", str(unpacked), *options, "-x"], input=archive(root, Format.TAR), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert differences(look(root, times=False), look(unpacked, times=False)) == []
    assert (unpacked / "etc/empty").stat().st_mtime == EARLIER
    assert (unpacked / "etc/odd-size").stat().st_mtime == EPOCH


def test_entries_are_sorted_below_their_directories(root: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(root, Format.TAR))) as tar:
        names = tar.getnames()
    assert names[0] == "."
    assert names == sorted(names, key=lambda name: name.split("/"))


def test_owners_are_numbers_and_no_access_times_are_told(root: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(root, Format.TAR))) as tar:
        for member in tar:
            assert (member.uname, member.gname) == ("", "")
            assert not {"atime", "ctime", "mtime"} & member.pax_headers.keys()
            assert member.mtime <= EPOCH


def test_nodes_that_could_not_be_made_are_entries_all_the_same(root: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(root, Format.TAR, owed=(CONSOLE,)))) as tar:
        console = tar.getmember("./dev/console")
    assert console.ischr()
    assert (console.devmajor, console.devminor, console.mode, console.mtime) == (5, 1, 0o600, EPOCH)
    os.mknod(root / "dev/console", 0o20600, os.makedev(5, 1))
    assert archive(root, Format.TAR, owed=(CONSOLE,)) == archive(root, Format.TAR)


def test_the_same_tree_made_anew_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(root), str(copy)], check=True)
    shutil.move(copy / "etc/empty", copy / "etc/moved")
    shutil.move(copy / "etc/moved", copy / "etc/empty")
    assert archive(copy, Format.TAR) == archive(root, Format.TAR)


def test_a_link_to_outside_of_the_tree_is_a_file_of_its_own(root: Path, tmp_path: Path) -> None:
    os.link(root / "etc/odd-size", tmp_path / "outside")
    with tarfile.open(fileobj=io.BytesIO(archive(root, Format.TAR))) as tar:
        assert tar.getmember("./etc/odd-size").isreg()
        names = [member.name for member in tar if member.islnk()]
    assert names == ["./bin/tool", "./etc/third-name"]


def test_large_owners_survive(root: Path) -> None:
    os.chown(root / "etc/empty", 4_000_000_000, 3_000_000)
    with tarfile.open(fileobj=io.BytesIO(archive(root, Format.TAR))) as tar:
        member = tar.getmember("./etc/empty")
    assert (member.uid, member.gid) == (4_000_000_000, 3_000_000)


def test_a_file_that_shrinks_meanwhile_is_an_error_and_no_archive(root: Path) -> None:
    tree = open_rootfs(root)
    assert len(tree) > 1  # it is scanned
    (root / "etc/odd-size").write_bytes(b"short")
    from rootfs_kit.output import write_archive

    with pytest.raises(CouldNotLook, match="1016 bytes too short"):
        write_archive(tree, Format.TAR, None, EPOCH, io.BytesIO())
