"""What a guest never reads is removed, with the links that led there, and with nothing else."""

from __future__ import annotations

from pathlib import Path

from rootfs_kit.guest.trim import trim
from rootfs_kit.tree import RootfsEditor
from tests.guest.made import DISTRO, SPLIT, fresh_tree
from tests.support.trees import fingerprint, link, write


def test_what_the_patterns_match_goes_and_its_neighbours_stay(editor: RootfsEditor) -> None:
    for _ in range(2):
        trim(editor, DISTRO.trim)
        assert editor.listdir("/usr/share") == ["locale"]
        assert editor.listdir("/usr/share/locale") == ["C.utf8"]


def test_links_that_led_there_go_and_others_stay(editor: RootfsEditor) -> None:
    editor.symlink("/usr/share/man-link", "/etc/alternatives/awk.1.gz")
    editor.symlink("/etc/was-dangling-before", "/nowhere")
    trim(editor, DISTRO.trim)
    assert editor.listdir("/etc/alternatives") == ["awk"]
    assert editor.lstat("/usr/share/man-link") is None
    assert editor.lstat("/etc/was-dangling-before") is not None


def test_nothing_to_trim_changes_nothing(editor: RootfsEditor) -> None:
    before = fingerprint(editor.root)
    trim(editor, ("/nothing/here", "/usr/share/doc-*"))
    trim(editor, ())
    assert fingerprint(editor.root) == before


def test_links_out_of_the_tree_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "host/share/doc/keep", "the host's own")
    root = fresh_tree(tmp_path / "tree", SPLIT)
    (root / "usr/share").rename(root / "usr/share.old")
    link(root, "usr/share", str(tmp_path / "host/share"))
    before = fingerprint(tmp_path / "host")
    with RootfsEditor(root) as editor:
        trim(editor, DISTRO.trim)
        trim(editor, ("/usr/shar?",))
        assert editor.lstat("/usr/share") is None
    assert fingerprint(tmp_path / "host") == before


def test_a_pattern_for_everything_does_not_take_the_root(merged: RootfsEditor) -> None:
    trim(merged, ("/",))
    assert merged.lstat("/etc/passwd") is not None
