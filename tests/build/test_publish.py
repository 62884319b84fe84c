"""The finished tree is put in place, and the tree that was there is never lost on the way."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from rootfs_kit import publish
from rootfs_kit.staging import Staging
from tests.build.builds import Mirror, left_behind


@pytest.fixture
def staged(tmp_path: Path) -> Staging:
    """A new tree, ready to be put where an old one is."""
    place = Staging(tmp_path / "rootfs", tmp_path / ".rootfs.rootfs-kit", tmp_path / ".rootfs.rootfs-kit/work")
    for tree, name in ((place.target, "old"), (place.tree, "new")):
        tree.mkdir(parents=True)
        (tree / name).touch()
    return place


def test_old_and_new_change_places(staged: Staging) -> None:
    publish._put_in_place(staged)
    assert (os.listdir(staged.target), os.listdir(staged.old)) == (["new"], ["old"])


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS])
def test_two_renames_do_where_the_file_system_cannot_exchange(
    staged: Staging, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Network file systems; those that this host can mount all exchange."""

    def refuse(one: Path, other: Path) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(publish, "_exchange", refuse)
    publish._put_in_place(staged)
    assert (os.listdir(staged.target), os.listdir(staged.old)) == (["new"], ["old"])
    assert not staged.aside.exists()


def test_what_was_set_aside_comes_back_with_the_next_build_even_if_that_fails(mirror: Mirror, tmp_path: Path) -> None:
    """As a build leaves it that is killed between the two renames."""
    target = tmp_path / "rootfs"
    assert mirror.build(target, "-q").status == 0
    (tmp_path / ".rootfs.rootfs-kit").mkdir()
    target.rename(tmp_path / ".rootfs.rootfs-kit/aside")
    assert mirror.build(target, "-q", "--extra-pkgs", "no-such-package").status == 3
    assert (target / "usr/bin/kata-agent").is_file()
    assert left_behind(target) == []
