"""What systemd finds: the agent's units, the links that start them, a tmp.mount, a root that services may enter."""

from __future__ import annotations

import pytest

from rootfs_kit.guest.agent import Agent, install_agent
from rootfs_kit.guest.systemd import let_services_enter_the_root, provide_tmp_mount, start_agent_by_systemd
from rootfs_kit.tree import RootfsEditor, open_rootfs
from rootfs_kit.tree.units import Unit, find_unit, requirement_closure
from tests.guest.made import Listener
from tests.support.agents import stand_in_agent

AGENT = Agent("kata-agent", stand_in_agent())
UNITS = "/usr/lib/systemd/system"


def unit(editor: RootfsEditor, name: str) -> Unit:
    found = find_unit(open_rootfs(editor.root), name)
    assert found is not None
    return found


def start(editor: RootfsEditor, monitor: Listener, agent: Agent = AGENT) -> None:
    install_agent(editor, agent)
    start_agent_by_systemd(editor, agent, monitor)


def test_a_bare_agent_gets_units_that_systemd_can_start(editor: RootfsEditor, monitor: Listener) -> None:
    assert requirement_closure(open_rootfs(editor.root), "kata-containers.target").problems
    for _ in range(2):
        start(editor, monitor)
        provide_tmp_mount(editor)
        closure = requirement_closure(open_rootfs(editor.root), "kata-containers.target")
        assert closure.problems == ()
        assert {"kata-agent.service", "basic.target", "tmp.mount"} <= set(closure.units)
    assert monitor.warnings == []


def test_the_service_starts_the_agent_and_powers_off_with_it(editor: RootfsEditor, monitor: Listener) -> None:
    start(editor, monitor, Agent("my-agent", stand_in_agent()))
    service = unit(editor, "kata-agent.service")
    assert [line.program for line in service.exec_lines("ExecStart")] == ["/usr/bin/my-agent"]
    stops = [(line.program, *line.arguments) for line in service.exec_lines("ExecStop")]
    assert stops == [("/bin/sync",), ("/usr/bin/systemctl", "--force", "poweroff")]
    assert service.get("Service", "FailureAction") == ["poweroff"]
    assert service.get("Service", "StandardOutput") == ["tty"]
    assert service.get("Service", "OOMScoreAdjust") == ["-997"]
    assert service.get("Service", "LimitNOFILE") == ["1073741824"]
    assert service.complaints == ()


def test_the_target_is_one_that_the_kernel_command_line_can_name(editor: RootfsEditor, monitor: Listener) -> None:
    start(editor, monitor)
    target = unit(editor, "kata-containers.target")
    assert target.get("Unit", "AllowIsolate") == ["yes"]
    assert "chronyd.service" in target.wants
    assert "dbus.socket" in target.wants
    assert target.complaints == ()


def test_an_initrd_reaches_the_target_from_basic_target(editor: RootfsEditor, monitor: Listener) -> None:
    start(editor, monitor)
    assert "kata-containers.target" in unit(editor, "basic.target").wants
    for path in ("basic.target.wants/kata-containers.target", "kata-containers.target.wants/dbus.socket"):
        assert editor.exists(f"/etc/systemd/system/{path}"), path


@pytest.mark.parametrize("directory", ["/etc/systemd/system", UNITS])
def test_units_that_the_tarball_brought_are_kept(editor: RootfsEditor, monitor: Listener, directory: str) -> None:
    text = "[Service]\nExecStart=/usr/bin/kata-agent --theirs\n"
    editor.write(f"{directory}/kata-agent.service", text)
    start(editor, monitor)
    assert editor.read_text(f"{directory}/kata-agent.service") == text
    assert unit(editor, "kata-agent.service").path == f"{directory}/kata-agent.service"


def test_our_own_unit_is_written_anew_when_the_agent_has_another_name(editor: RootfsEditor, monitor: Listener) -> None:
    start(editor, monitor)
    start(editor, monitor, Agent("other-agent", stand_in_agent()))
    assert "ExecStart=/usr/bin/other-agent\n" in editor.read_text(f"{UNITS}/kata-agent.service")


def test_a_rootfs_without_a_bus_is_warned_about_and_gets_no_dangling_link(merged: RootfsEditor) -> None:
    listener = Listener()
    merged.remove("/lib/systemd/system/dbus.socket")
    start(merged, listener)
    assert "install dbus" in listener.warnings[0]
    assert merged.lstat("/etc/systemd/system/kata-containers.target.wants/dbus.socket") is None


def test_an_overlay_names_the_units_that_its_base_will_have(empty: RootfsEditor, monitor: Listener) -> None:
    start(empty, monitor)
    entry = empty.lstat("/etc/systemd/system/kata-containers.target.wants/dbus.socket")
    assert entry is not None
    assert entry.target == f"{UNITS}/dbus.socket"
    assert "lib" not in empty.listdir("/")


def test_tmp_mount_is_written_where_there_is_none(editor: RootfsEditor) -> None:
    provide_tmp_mount(editor)
    mount = unit(editor, "tmp.mount")
    assert mount.get("Mount", "What") == ["tmpfs"]
    assert mount.get("Mount", "Where") == ["/tmp"]
    assert mount.get("Mount", "Options") == ["mode=1777,strictatime,nosuid,nodev"]


def test_debians_example_of_tmp_mount_is_used(editor: RootfsEditor) -> None:
    editor.write("/usr/share/systemd/tmp.mount", "[Mount]\nWhat=tmpfs\nWhere=/tmp\n# theirs\n")
    provide_tmp_mount(editor)
    assert "# theirs" in editor.read_text("/etc/systemd/system/tmp.mount")


def test_a_tmp_mount_of_the_distribution_is_left_alone(editor: RootfsEditor) -> None:
    editor.write("/lib/systemd/system/tmp.mount", "[Mount]\nWhat=tmpfs\nWhere=/tmp\n")
    provide_tmp_mount(editor)
    assert editor.lstat("/etc/systemd/system/tmp.mount") is None


def test_a_masked_tmp_mount_is_unmasked_since_the_target_requires_it(editor: RootfsEditor) -> None:
    editor.symlink("/etc/systemd/system/tmp.mount", "/dev/null")
    provide_tmp_mount(editor)
    assert not unit(editor, "tmp.mount").masked


def test_services_with_users_of_their_own_may_enter_the_root(editor: RootfsEditor) -> None:
    before = editor.lstat("/")
    assert before is not None
    assert before.mode == 0o700
    for _ in range(2):
        let_services_enter_the_root(editor)
        after = editor.lstat("/")
        assert after is not None
        assert after.mode == 0o751
