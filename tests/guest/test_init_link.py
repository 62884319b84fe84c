"""Where systemd is installed and nothing is /sbin/init, the kernel is led to systemd."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rootfs_kit.guest.init import let_systemd_be_init
from rootfs_kit.tree import RootfsEditor, open_rootfs
from tests.support.trees import link, program


@pytest.fixture(params=["usr/lib/systemd/systemd", "lib/systemd/systemd"])
def guest(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A tree with systemd and without init, merged-usr or not, and where systemd is in it."""
    if request.param.startswith("usr/"):
        (tmp_path / "usr/sbin").mkdir(parents=True)
        link(tmp_path, "sbin", "usr/sbin")
    else:
        (tmp_path / "sbin").mkdir()
    program(tmp_path, request.param)
    return tmp_path, f"/{request.param}"


def test_a_missing_link_is_made(guest: tuple[Path, str]) -> None:
    root, systemd = guest
    for _ in range(2):
        with RootfsEditor(root) as editor:
            let_systemd_be_init(editor)
        assert open_rootfs(root).resolve("/sbin/init").final == systemd


def test_what_is_init_already_stays(guest: tuple[Path, str]) -> None:
    root, _ = guest
    program(root, "sbin/init")
    before = (root / "sbin/init").stat().st_ino
    with RootfsEditor(root) as editor:
        let_systemd_be_init(editor)
    assert (root / "sbin/init").lstat().st_ino == before


def test_without_systemd_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "sbin").mkdir()
    with RootfsEditor(tmp_path) as editor:
        let_systemd_be_init(editor)
    assert os.listdir(tmp_path / "sbin") == []
