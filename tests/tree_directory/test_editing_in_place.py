"""The editor changes the directory that it was given, and nothing that was put in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfs_kit.errors import UsageError
from rootfs_kit.tree import RootfsEditor


def test_a_link_to_a_directory_is_no_tree_to_edit(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tree").symlink_to("elsewhere")
    with pytest.raises(UsageError, match="tree"):
        RootfsEditor(tmp_path / "tree")
    (tmp_path / "link").symlink_to(".")
    with RootfsEditor(tmp_path / "link/elsewhere") as editor:
        editor.write("/etc/hosts", "127.0.0.1 localhost\n")
    assert (tmp_path / "elsewhere/etc/hosts").is_file()
