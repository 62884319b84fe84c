"""The finished tree is put in place, and the tree that was there is never lost on the way."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_kit import publish
from rootfs_kit.staging import Staging
from tests.build.builds import Mirror, left_behind
from tests.support.requirements import needs_overlayfs

IN_A_LOWER_LAYER = """
import subprocess, sys
from pathlib import Path
from rootfs_kit.errors import BuildFailed
from rootfs_kit.host.namespaces import enter_private_mounts
from rootfs_kit.monitor import SilentMonitor
from rootfs_kit.publish import publish
from rootfs_kit.run import build_log
from rootfs_kit.staging import Staging

def mount(kind, *options):
    subprocess.run(["mount", "-t", kind, "-o", *options], check=True)

enter_private_mounts()
place = Path(sys.argv[1])
mount("tmpfs", "mode=0755", "tmpfs", place)
for name in ("lower/rootfs", "upper", "work", "merged", "made"):
    (place / name).mkdir(parents=True)
(place / "lower/rootfs/old").touch()
(place / "made/new").touch()
mount("overlay", f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work", "overlay", place / "merged")
staging = Staging(place / "merged/rootfs", place / "merged/.rootfs.rootfs-kit", place / "work")
staging.directory.mkdir()
with build_log(None, "test") as log:
    try:
        publish(staging, place / "made", None, SilentMonitor(), log)
    except BuildFailed as error:
        print(error)
print(sorted(path.name for path in staging.target.iterdir()))
"""


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


@needs_overlayfs()
def test_a_tree_of_a_containers_image_stays_and_the_message_says_why(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_LOWER_LAYER, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "belongs to the image of this container" in done.stdout, done.stdout
    assert done.stdout.endswith("['old']\n")
