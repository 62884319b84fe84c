"""A guest's first /dev is the same whatever a package manager left in it, and whoever built it."""

from __future__ import annotations

import os
import stat

import pytest

from rootfs_kit.guest.mountpoints import LINKS, NODES, provide_devices
from rootfs_kit.tree import Kind, RootfsEditor
from tests.support.requirements import needs_root

pytestmark = needs_root()


def test_nodes_links_and_directories_are_made(editor: RootfsEditor) -> None:
    assert provide_devices(editor) == ()
    for path, (mode, device) in NODES.items():
        entry = editor.lstat(path)
        assert entry is not None
        assert (entry.kind, entry.mode, entry.device) == (Kind.CHAR_DEVICE, mode, device)
    for path, target in LINKS.items():
        assert os.readlink(f"{editor.root}{path}") == target
    assert {"pts", "shm"} <= set(editor.listdir("/dev"))


def test_a_node_that_is_there_gets_the_mode_that_it_should_have(editor: RootfsEditor) -> None:
    editor.make_node("/dev/console", stat.S_IFCHR | 0o666, (5, 1))
    provide_devices(editor)
    console = editor.lstat("/dev/console")
    assert console is not None
    assert console.mode == 0o600


@pytest.mark.parametrize("may_make_nodes", [True, False])
def test_what_a_script_wrote_into_dev_null_does_not_stand_for_it(
    editor: RootfsEditor, monkeypatch: pytest.MonkeyPatch, may_make_nodes: bool
) -> None:
    editor.write("/dev/null", "Adding user chrony")
    if not may_make_nodes:
        monkeypatch.setattr(os, "mknod", _refuse)
    owed = provide_devices(editor)
    null = editor.lstat("/dev/null")
    assert (null is not None and null.kind is Kind.CHAR_DEVICE) == may_make_nodes
    assert ("/dev/null" in {entry.path for entry in owed}) == (not may_make_nodes)


def test_what_cannot_be_made_is_given_back(editor: RootfsEditor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "mknod", _refuse)
    owed = {entry.path: (entry.kind, entry.mode, entry.device) for entry in provide_devices(editor)}
    assert owed == {path: (Kind.CHAR_DEVICE, mode, device) for path, (mode, device) in NODES.items()}
    assert not set(NODES) & {f"/dev/{name}" for name in editor.listdir("/dev")}


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")
