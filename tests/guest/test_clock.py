"""The clock: chronyd reads the host's, exactly once, and no line anywhere names a server on the network."""

from __future__ import annotations

import pytest

from rootfs_kit.guest.clock import HOST_CLOCK, STEP, bring_configurations, follow_host_clock, has_chronyd
from rootfs_kit.suite.clock import ChronyConfiguration, read_chrony
from rootfs_kit.tree import RootfsEditor, open_rootfs

DEBIAN, FEDORA = "/etc/chrony/chrony.conf", "/etc/chrony.conf"


def in_force(editor: RootfsEditor) -> ChronyConfiguration:
    """The configuration as chronyd reads it, with all that it includes."""
    configuration = read_chrony(open_rootfs(editor.root))
    assert configuration is not None
    return configuration


def test_the_host_is_followed_and_nobody_else_asked(editor: RootfsEditor) -> None:
    before = in_force(editor)
    assert [line.directive for line in before.network_sources] == ["pool", "server", "pool", "peer"]
    for _ in range(2):
        follow_host_clock(editor)
        after = in_force(editor)
        assert after.network_sources == ()
        assert after.values("refclock") == (HOST_CLOCK.removeprefix("refclock "),)
        assert after.values("makestep") == (STEP.removeprefix("makestep "),)


def test_what_else_is_configured_stays(editor: RootfsEditor) -> None:
    follow_host_clock(editor)
    after = in_force(editor)
    assert after.values("driftfile") == ("/var/lib/chrony/chrony.drift",)
    assert after.values("maxupdateskew") == ("100.0",)
    assert "# a comment\n" in editor.read_text("/etc/chrony/sources.d/pools.sources")


def test_a_second_time_changes_no_byte(editor: RootfsEditor) -> None:
    follow_host_clock(editor)
    paths = (DEBIAN, "/etc/chrony/sources.d/pools.sources", "/etc/chrony/conf.d/extra.conf")
    once = [editor.read_text(path) for path in paths]
    follow_host_clock(editor)
    assert [editor.read_text(path) for path in paths] == once


def test_servers_that_a_dhcp_client_writes_at_run_time_are_off_too(editor: RootfsEditor) -> None:
    follow_host_clock(editor)
    assert in_force(editor).values("sourcedir") == ("/etc/chrony/sources.d",)


def test_a_source_that_was_added_since_is_switched_off(editor: RootfsEditor) -> None:
    follow_host_clock(editor)
    editor.write(DEBIAN, editor.read_text(DEBIAN) + "server late.example\n")
    follow_host_clock(editor)
    assert in_force(editor).network_sources == ()


def test_files_keep_mode_and_owner(editor: RootfsEditor) -> None:
    editor.chown(DEBIAN, 0, 101)
    follow_host_clock(editor)
    entry = editor.lstat(DEBIAN)
    assert entry is not None
    assert (entry.mode, entry.gid) == (0o640, 101)


def test_fedoras_path_is_found_in_the_tree(editor: RootfsEditor) -> None:
    editor.remove_tree("/etc/chrony")
    editor.write(FEDORA, "pool 2.fedora.pool.example iburst\nrefclock PHC /dev/ptp0 poll 2\n")
    follow_host_clock(editor)
    after = in_force(editor)
    assert after.path == FEDORA
    assert after.network_sources == ()
    assert len(after.values("refclock")) == 1
    assert editor.lstat("/etc/chrony") is None


def test_a_missing_configuration_is_written_where_the_program_looks(editor: RootfsEditor) -> None:
    editor.remove_tree("/etc/chrony")
    editor.write("/usr/sbin/chronyd", b"\x7fELF\0/etc/chrony/chrony.conf\0", 0o755)
    follow_host_clock(editor)
    assert in_force(editor).path == DEBIAN
    assert editor.lstat(FEDORA) is None


def test_a_configuration_behind_a_link_is_changed_inside_the_tree_only(editor: RootfsEditor) -> None:
    outside = editor.root.parent / "chrony.conf"
    outside.write_text("pool of.the.host\n")
    editor.write("/etc/real.conf", "pool of.the.guest\n")
    editor.symlink(DEBIAN, "../../../../../../etc/real.conf")
    editor.symlink("/etc/chrony/conf.d/extra.conf", str(outside))
    follow_host_clock(editor)
    assert HOST_CLOCK in editor.read_text("/etc/real.conf")
    assert "\npool" not in editor.read_text("/etc/real.conf")
    assert outside.read_text() == "pool of.the.host\n"


@pytest.mark.parametrize("line", ["initstepslew 30 a.example", "\tPOOL a.example", "include /etc/chrony/more.conf"])
def test_other_ways_to_name_a_server(merged: RootfsEditor, line: str) -> None:
    merged.write("/etc/chrony/more.conf", "server hidden.example\n")
    merged.write(DEBIAN, f"{line}\n")
    follow_host_clock(merged)
    after = in_force(merged)
    assert after.network_sources == ()
    assert after.values("initstepslew") == ()


def test_an_overlay_brings_a_whole_configuration_for_either_chrony(empty: RootfsEditor) -> None:
    for _ in range(2):
        bring_configurations(empty)
        for path in (DEBIAN, FEDORA):
            assert empty.read_text(path).splitlines()[-2:] == [HOST_CLOCK, STEP]


def test_chronyd_is_looked_for_in_the_tree(editor: RootfsEditor) -> None:
    assert has_chronyd(editor)
    editor.remove("/usr/sbin/chronyd")
    assert not has_chronyd(editor)
