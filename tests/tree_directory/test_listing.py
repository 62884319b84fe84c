"""Single paths of a directory are looked up without a scan, and the answers are those of the scan."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree import RootfsTree, open_rootfs, openat
from rootfs_kit.tree.directory import DirectorySource
from tests.hostile.survey import deep_directory, remove_deep_directory
from tests.support.nobody import as_nobody
from tests.support.requirements import needs_root

PATHS = (
    "/", "/etc", "/etc/hosts", "/bin/sh", "/bin/../etc/hosts", "/etc/hosts/below", "/nothing", "/nothing/below",
    "/loop", "/loop/x", "/self/self/etc/hosts", "/out", "/dangling", "/dangling/x", "/pipe", "/usr/./bin//sh",
    "/../../etc", "/odd\udcff\n\x1b[31m/file", "/empty",
)  # fmt: skip


class Scanned(Exception):
    """The tree was scanned."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for directory in ("etc", "usr/bin", "empty", os.fsdecode(b"odd\xff\n\x1b[31m")):
        (root / directory).mkdir(parents=True)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (root / "usr/bin/sh").write_text("#!/bin/sh\n")
    (root / "usr/bin/sh").chmod(0o755)
    (root / os.fsdecode(b"odd\xff\n\x1b[31m/file")).touch()
    links = {"bin": "usr/bin", "loop": "loop", "self": "/", "out": "../../../etc", "dangling": "/nowhere"}
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    return root


@pytest.fixture
def no_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: DirectorySource) -> None:
        raise Scanned

    monkeypatch.setattr(DirectorySource, "scan", refuse)


def answers(tree: RootfsTree, path: str) -> tuple[object, ...]:
    return tree.lstat(path), tree.resolve(path), tree.listdir(path), tree.file(path).describe()


def scanned(root: Path) -> RootfsTree:
    tree = open_rootfs(root)
    assert len(tree) > 1
    return tree


@pytest.mark.usefixtures("no_scan")
def test_single_paths_are_answered_without_a_scan(root: Path) -> None:
    tree = open_rootfs(root)
    assert tree.file("/bin/sh").is_executable and tree.file("/etc/hosts").read_text() == "127.0.0.1 localhost\n"
    assert tree.listdir("/self/etc") == ["hosts"]
    assert tree.file("/nothing").describe() == "nothing"
    with pytest.raises(Scanned):
        len(tree)
    with pytest.raises(Scanned):
        list(tree.walk("/"))
    with pytest.raises(Scanned):
        _ = tree.unreadable


@pytest.mark.parametrize("by_kernel", [True, False], ids=["openat2", "by component"])
def test_answers_are_those_of_a_scanned_tree(root: Path, monkeypatch: pytest.MonkeyPatch, by_kernel: bool) -> None:
    if by_kernel and not openat._kernel_has_openat2():
        pytest.skip("needs a kernel with openat2 (5.6)")
    monkeypatch.setattr(openat, "_kernel_has_openat2", lambda: by_kernel)
    whole, single = scanned(root), open_rootfs(root)
    for path in PATHS:
        assert answers(single, path) == answers(whole, path), path
        assert answers(open_rootfs(root), path) == answers(whole, path), path


def test_a_scan_in_between_changes_no_answer(root: Path) -> None:
    tree = open_rootfs(root)
    before = [answers(tree, path) for path in PATHS]
    assert len(tree) == len(scanned(root))
    assert [answers(tree, path) for path in PATHS] == before


def test_paths_longer_than_the_kernel_takes_are_looked_up(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    try:
        os.close(deep_directory(root, "d" * 100, 60))
        deep = "/" + "/".join(["d" * 100] * 60)
        assert open_rootfs(root).file(deep).is_directory
        assert open_rootfs(root).listdir(deep.rpartition("/")[0]) == ["d" * 100, "link", "neighbour"]
        assert not open_rootfs(root).exists(f"{deep}/more")
    finally:
        remove_deep_directory(root)


@pytest.fixture
def private() -> Iterator[Path]:
    """Where everybody may go, as far as the directory that only root may read."""
    with tempfile.TemporaryDirectory(prefix="rootfs-kit-nobody-") as place:
        Path(place).chmod(0o755)
        (Path(place) / "closed/inside").mkdir(parents=True)
        (Path(place) / "closed").chmod(0o700)
        yield Path(place)


@needs_root()
def test_what_may_not_be_read_is_never_taken_for_missing(private: Path) -> None:
    for path in ("/closed/inside", "/closed/nothing", "/closed/inside/deeper"):
        assert "Permission denied" in as_nobody(partial(_why_not, private, path))
    assert as_nobody(partial(_why_not, private, "/closed")) == "listing it: Permission denied"
    assert as_nobody(partial(_why_not, private, "/open")) is None


def _why_not(root: Path, path: str) -> str | None:
    tree = open_rootfs(root)
    try:
        tree.lstat(path)
    except CouldNotLook as error:
        return error.found
    try:
        tree.listdir(path)
    except CouldNotLook as error:
        return f"listing it: {error.found}"
    return None
