"""Where the agent goes: /usr/bin and /bin, or /sbin/init and /init; as root's program in every layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfs_kit.errors import BuildFailed
from rootfs_kit.guest.agent import Agent, install_agent, reach_agent_through_bin
from rootfs_kit.guest.init import let_agent_be_init, start_from_initramfs
from rootfs_kit.tree import RootfsEditor
from tests.guest.made import SPLIT, fresh_tree
from tests.guest.test_agent_choice import tarball
from tests.support.agents import stand_in_agent
from tests.support.trees import fingerprint, link, write

AGENT = Agent("kata-agent", stand_in_agent())
CONTENT = stand_in_agent().read_bytes()


def is_the_agent(editor: RootfsEditor, path: str) -> bool:
    return editor.is_executable(path) and editor.read_bytes(path) == CONTENT


def install(editor: RootfsEditor, agent: Agent = AGENT) -> None:
    install_agent(editor, agent)
    reach_agent_through_bin(editor, agent)


def test_the_agent_is_a_program_of_roots_and_found_under_both_paths(editor: RootfsEditor) -> None:
    assert editor.lstat("/usr/bin/kata-agent") is None
    for _ in range(2):
        install(editor)
        entry = editor.lstat("/usr/bin/kata-agent")
        assert entry is not None
        assert (entry.kind, entry.mode, entry.uid, entry.gid) == ("file", 0o755, 0, 0)
        assert is_the_agent(editor, "/usr/bin/kata-agent")
        assert is_the_agent(editor, "/bin/kata-agent")


def test_a_binary_without_rights_for_others_gets_them_in_the_guest(merged: RootfsEditor, tmp_path: Path) -> None:
    private = tmp_path / "kata-agent"
    private.write_bytes(CONTENT)
    private.chmod(0o500)
    install(merged, Agent("kata-agent", private))
    assert merged.resolve("/usr/bin/kata-agent").entry.mode == 0o755  # type: ignore[union-attr]


def test_an_overlay_gets_no_bin_of_its_own(empty: RootfsEditor) -> None:
    install(empty)
    assert empty.listdir("/") == ["usr"]


@pytest.mark.parametrize("directory", ["usr/bin", "bin"])
def test_a_tarball_may_hold_the_agent_in_either_place(editor: RootfsEditor, tmp_path: Path, directory: str) -> None:
    member = f"{directory}/kata-agent"
    archive = tarball(tmp_path / "agent.tar.zst", {member: CONTENT, "etc/brought": b"along"})
    for _ in range(2):
        install(editor, Agent("kata-agent", archive, f"/{member}"))
        assert is_the_agent(editor, "/usr/bin/kata-agent")
        assert is_the_agent(editor, "/bin/kata-agent")
        assert not editor.lstat("/usr/bin/kata-agent").is_symlink  # type: ignore[union-attr]
    assert editor.read_text("/etc/brought") == "along"
    assert editor.resolve("/bin/sh").entry is not None


def test_a_tarball_that_hides_its_agent_behind_a_link_is_refused(merged: RootfsEditor, tmp_path: Path) -> None:
    archive = tarball(tmp_path / "agent.tar.zst", {"etc/other": b"x"})
    merged.symlink("/usr/bin/kata-agent", "/etc/other")
    with pytest.raises(BuildFailed, match="is no regular file"):
        install(merged, Agent("kata-agent", archive, "/usr/bin/kata-agent"))


def test_the_agent_as_init_is_a_regular_file_and_its_name_leads_there(editor: RootfsEditor) -> None:
    systemd = editor.resolve("/sbin/init").final
    assert systemd is not None
    before = editor.read_bytes(systemd)
    for _ in range(2):
        install(editor)
        let_agent_be_init(editor, AGENT)
        reach_agent_through_bin(editor, AGENT)
        entry = editor.lstat("/sbin/init")
        assert entry is not None
        assert (entry.kind, entry.mode) == ("file", 0o755)
        for path in ("/sbin/init", "/usr/bin/kata-agent", "/bin/kata-agent"):
            assert is_the_agent(editor, path), path
        link_text = editor.lstat("/usr/bin/kata-agent").target  # type: ignore[union-attr]
        assert link_text is not None
        assert not link_text.startswith("/")
    assert editor.read_bytes(systemd) == before


def test_an_init_that_leads_out_of_the_tree_is_replaced_and_what_is_outside_stays(tmp_path: Path) -> None:
    """kata-containers#430: the build host's own init was overwritten through such a link."""
    outside = write(tmp_path, "host/sbin/init", "the host's own", 0o755)
    root = fresh_tree(tmp_path / "tree", SPLIT)
    (root / "sbin/init").unlink()
    link(root, "sbin/init", str(outside))
    before = fingerprint(tmp_path / "host")
    with RootfsEditor(root) as editor:
        install(editor)
        let_agent_be_init(editor, AGENT)
        assert is_the_agent(editor, "/sbin/init")
    assert fingerprint(tmp_path / "host") == before


def test_the_kernel_finds_init_in_an_initrd_by_one_link(editor: RootfsEditor) -> None:
    assert editor.lstat("/init") is None
    for _ in range(2):
        start_from_initramfs(editor)
        assert len(editor.resolve("/init").chain) == 1
        assert editor.resolve("/init").final == editor.resolve("/sbin/init").final


def test_init_of_an_initrd_follows_when_the_agent_becomes_init(editor: RootfsEditor) -> None:
    start_from_initramfs(editor)
    install(editor)
    let_agent_be_init(editor, AGENT)
    start_from_initramfs(editor)
    assert is_the_agent(editor, "/init")
    assert len(editor.resolve("/init").chain) == 1


def test_an_init_that_a_package_put_at_the_root_stays(merged: RootfsEditor) -> None:
    merged.write("/init", "#!/bin/sh\n", 0o755)
    start_from_initramfs(merged)
    assert merged.read_text("/init") == "#!/bin/sh\n"
