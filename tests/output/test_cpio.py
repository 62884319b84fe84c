"""The cpio: taken by GNU cpio, equal when unpacked, and by the kernel as its initramfs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rootfs_kit.errors import BuildFailed
from rootfs_kit.output import Compression
from rootfs_kit.probe import probe_agent
from rootfs_kit.request import Format
from rootfs_kit.tree import Entry, Kind
from tests.build.builds import differences, look
from tests.output.workshop import CONSOLE, EPOCH, archive, tree_of_all_sorts
from tests.support.boot import QEMU, boot_initrd, cloud_kernel
from tests.support.requirements import needs_program, needs_root

pytestmark = needs_root()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tree_of_all_sorts(tmp_path / "tree")


def unpack(content: bytes, directory: Path) -> Path:
    directory.mkdir()
    done = subprocess.run(
        ["cpio", "--extract", "--make-directories", "--preserve-modification-time", "--quiet"],
        cwd=directory, input=content, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    return directory


@needs_program("cpio")
def test_gnu_cpio_unpacks_the_same_tree(root: Path, tmp_path: Path) -> None:
    unpacked = unpack(archive(root, Format.CPIO), tmp_path / "unpacked")
    assert differences(look(root, times=False), look(unpacked, times=False)) == []
    assert (unpacked / "etc/odd-size").stat().st_mtime == EPOCH
    assert (unpacked / "bin/alias").samefile(unpacked / "etc/third-name")


@needs_program("cpio")
def test_nodes_that_could_not_be_made_are_entries_all_the_same(root: Path, tmp_path: Path) -> None:
    unpacked = unpack(archive(root, Format.CPIO, owed=(CONSOLE,)), tmp_path / "unpacked")
    console = (unpacked / "dev/console").stat()
    assert (console.st_mode, console.st_rdev) == (0o20600, os.makedev(5, 1))


def test_it_ends_with_the_trailer_at_a_full_block(root: Path) -> None:
    content = archive(root, Format.CPIO)
    assert len(content) % 512 == 0
    assert content.rstrip(b"\0").endswith(b"TRAILER!!!")
    assert content.startswith(b"070701")


def test_the_same_tree_made_anew_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(root), str(copy)], check=True)
    assert archive(copy, Format.CPIO) == archive(root, Format.CPIO)


def test_what_does_not_fit_is_told(root: Path) -> None:
    node = Entry("/dev/huge", Kind.BLOCK_DEVICE, 0o600, 1 << 32, 0, 0, EPOCH, device=(1, 1))
    with pytest.raises(BuildFailed, match="--format tar"):
        archive(root, Format.CPIO, owed=(node,))


@pytest.mark.slow
@pytest.mark.network
@needs_program("cc", QEMU)
@pytest.mark.parametrize("compression", [None, *Compression])
def test_the_kernel_boots_it(tmp_path: Path, compression: Compression | None) -> None:
    """No /dev/console on disk: what the console says shows that the one that was only recorded is there."""
    cloud_kernel()
    tree = tmp_path / "tree"
    for name in ("sbin", "dev", "proc", "sys", "run", "tmp"):
        (tree / name).mkdir(parents=True)
    shutil.copy(probe_agent(os.uname().machine), tree / "sbin/other-name")
    os.link(tree / "sbin/other-name", tree / "sbin/init")
    initrd = tmp_path / "initrd"
    initrd.write_bytes(archive(tree, Format.CPIO, compression, owed=(CONSOLE,)))
    facts = boot_initrd(initrd, tmp_path, memory_mib=512).facts
    assert facts["ready"] is True
    assert facts["pid"] == 1
