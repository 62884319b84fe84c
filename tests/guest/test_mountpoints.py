"""The first /dev of a guest: what package managers and their scripts leave there gives way to nodes, or stays."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rootfs_kit.guest.mountpoints import provide_devices
from rootfs_kit.tree import RootfsEditor
from tests.support.requirements import needs_root

pytestmark = needs_root()


def test_a_file_that_a_script_wrote_for_want_of_a_node_becomes_one(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/null").write_text("what a package's script threw away")
    with RootfsEditor(tmp_path) as editor:
        assert provide_devices(editor) == ()
    status = (tmp_path / "dev/null").stat()
    assert stat.S_ISCHR(status.st_mode)
    assert (os.major(status.st_rdev), os.minor(status.st_rdev)) == (1, 3)


def test_a_link_to_a_node_stays(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/ptmx").symlink_to("pts/ptmx")
    with RootfsEditor(tmp_path) as editor:
        provide_devices(editor)
    assert os.readlink(tmp_path / "dev/ptmx") == "pts/ptmx"
