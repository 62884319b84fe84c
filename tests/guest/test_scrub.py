"""What a build leaves behind goes: identities, names of the build host, keys, logs, caches, backups."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfs_kit.axes import InitMode
from rootfs_kit.guest.resolver import provide_resolver
from rootfs_kit.guest.scrub import scrub
from rootfs_kit.tree import RootfsEditor
from tests.guest.made import MERGED, Listener, fresh_tree
from tests.support.trees import fingerprint, link, write

GONE = (
    "/etc/hostname", "/etc/passwd-", "/etc/shadow-", "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssh/ssh_host_ed25519_key.pub",
    "/var/lib/dbus/machine-id", "/var/log/dpkg.log", "/var/log/apt", "/var/log/journal", "/var/cache/debconf",
    "/var/cache/ldconfig", "/var/lib/apt/lists/mirror.example_InRelease",
)  # fmt: skip
KEPT = ("/etc/passwd", "/etc/ssh/sshd_config", "/var/cache", "/var/log/chrony", "/var/lib/chrony", "/run/lock")


def test_traces_of_the_build_go_and_what_daemons_need_stays(editor: RootfsEditor) -> None:
    assert [path for path in (*GONE, *KEPT) if editor.lstat(path) is None] == []
    for _ in range(2):
        scrub(editor, InitMode.SYSTEMD)
        assert [path for path in GONE if editor.lstat(path) is not None] == []
        assert [path for path in KEPT if editor.lstat(path) is None] == []


def test_no_file_names_the_build_host(editor: RootfsEditor) -> None:
    scrub(editor, InitMode.SYSTEMD)
    named = [entry.path for entry in editor.walk() if entry.is_file and b"buildhost" in editor.read_bytes(entry.path)]
    assert named == []
    assert editor.read_text("/etc/hosts").split()[:2] == ["127.0.0.1", "localhost"]


def test_the_machine_id_is_empty_so_that_every_guest_gets_its_own(editor: RootfsEditor) -> None:
    for _ in range(2):
        scrub(editor, InitMode.SYSTEMD)
        assert editor.read_bytes("/etc/machine-id") == b""


def test_a_missing_machine_id_is_provided_for_systemd_only(editor: RootfsEditor) -> None:
    editor.remove("/etc/machine-id")
    scrub(editor, InitMode.AGENT)
    assert editor.lstat("/etc/machine-id") is None
    scrub(editor, InitMode.SYSTEMD)
    assert editor.read_bytes("/etc/machine-id") == b""


@pytest.mark.parametrize("before", ["file", "link", "nothing"])
def test_the_resolver_is_an_empty_file_whatever_it_was(editor: RootfsEditor, before: str) -> None:
    if before != "file":
        editor.remove("/etc/resolv.conf")
    if before == "link":
        editor.symlink("/etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf")
    scrub(editor, InitMode.SYSTEMD)
    entry = editor.lstat("/etc/resolv.conf")
    assert entry is not None
    assert (entry.kind, entry.size, entry.mode) == ("file", 0, 0o644)


def test_var_run_and_var_tmp_lead_to_what_is_memory_in_a_guest(editor: RootfsEditor) -> None:
    assert editor.lstat("/var/run") is None
    for _ in range(2):
        scrub(editor, InitMode.SYSTEMD)
        assert editor.resolve("/var/run").final == "/run"
        assert editor.resolve("/var/tmp").final == "/tmp"
        assert editor.resolve("/tmp").entry.mode == 0o1777  # type: ignore[union-attr]


def test_a_link_that_leads_out_of_the_tree_leads_nobody_there(tmp_path: Path) -> None:
    for name in ("cache", "log", "tmp", "ssh", "lists"):
        write(tmp_path, f"host/{name}/ssh_host_key", "the host's own")
    root = fresh_tree(tmp_path / "tree", MERGED)
    for path, name in {"var/cache": "cache", "var/log": "log", "var/tmp": "tmp", "etc/ssh": "ssh"}.items():
        _replace_by_link(root / path, tmp_path / "host" / name)
    link(root, "var/lib/apt/lists/partial", str(tmp_path / "host/lists"))
    before = fingerprint(tmp_path / "host")
    with RootfsEditor(root) as editor:
        scrub(editor, InitMode.SYSTEMD)
    assert fingerprint(tmp_path / "host") == before


def _replace_by_link(path: Path, target: Path) -> None:
    import shutil

    shutil.rmtree(path)
    path.symlink_to(target)


def test_an_existing_tree_keeps_its_resolver_and_is_told(merged: RootfsEditor) -> None:
    listener = Listener()
    provide_resolver(merged, listener)
    assert merged.read_text("/etc/resolv.conf") == "nameserver 10.1.2.3\n"
    assert "every guest" in listener.notes[0]


def test_an_existing_tree_gets_a_file_instead_of_a_link_to_mount_over(merged: RootfsEditor) -> None:
    merged.symlink("/etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf")
    listener = Listener()
    for _ in range(2):
        provide_resolver(merged, listener)
        assert merged.lstat("/etc/resolv.conf").is_file  # type: ignore[union-attr]
    assert listener.notes == []
