"""Deleting units: the right names, everywhere, and never one that the guest would miss."""

from __future__ import annotations

import pytest

from rootfs_kit.errors import BuildFailed
from rootfs_kit.guest.agent import Agent, install_agent
from rootfs_kit.guest.removal import NAMES, delete_units
from rootfs_kit.guest.systemd import provide_tmp_mount, start_agent_by_systemd
from rootfs_kit.tree import RootfsEditor, open_rootfs
from rootfs_kit.tree.units import requirement_closure
from tests.guest.made import Listener
from tests.support.agents import stand_in_agent
from tests.support.trees import fingerprint

AGENT = Agent("kata-agent", stand_in_agent())
UNITS = "/lib/systemd/system"
DISPENSABLE = (
    f"{UNITS}/systemd-journald.service", f"{UNITS}/systemd-udevd-kernel.socket", f"{UNITS}/systemd-coredump@.service",
    f"{UNITS}/systemd-tmpfiles-clean.timer", f"{UNITS}/sysinit.target.wants/systemd-journald.service",
    "/usr/lib/systemd/user/systemd-tmpfiles-setup.service", "/lib/systemd/system-generators/systemd-fstab-generator",
    "/lib/systemd/systemd-sysroot-fstab-check", "/etc/systemd/system/dbus-org.example.timesync.service",
    f"{UNITS}/systemd-timesyncd.service",
)  # fmt: skip
NEEDED = (
    f"{UNITS}/systemd-tmpfiles-setup-dev.service", f"{UNITS}/systemd-journald@.service", f"{UNITS}/dbus.service",
    "/lib/systemd/systemd-journald",
)  # fmt: skip


@pytest.fixture
def guest(editor: RootfsEditor) -> RootfsEditor:
    install_agent(editor, AGENT)
    start_agent_by_systemd(editor, AGENT, Listener())
    provide_tmp_mount(editor)
    for path in (*DISPENSABLE, *NEEDED):
        if editor.lstat(path) is None:
            editor.write(path, "[Unit]\n")
    editor.symlink(f"{UNITS}/sysinit.target.wants/systemd-journald.service", "../systemd-journald.service")
    editor.symlink("/lib/systemd/systemd-sysroot-fstab-check", "system-generators/systemd-fstab-generator")
    editor.symlink("/etc/systemd/system/dbus-org.example.timesync.service", f"{UNITS}/systemd-timesyncd.service")
    return editor


def present(editor: RootfsEditor, paths: tuple[str, ...]) -> list[str]:
    return [path for path in paths if editor.lstat(path) is not None]


def test_the_timer_is_spelt_as_systemd_spells_it() -> None:
    assert "systemd-tmpfiles-clean.timer" in NAMES
    assert "systemd-tmpfiles-cleanup.timer" not in NAMES


def test_units_go_everywhere_with_the_links_to_them(guest: RootfsEditor) -> None:
    assert present(guest, (*DISPENSABLE, *NEEDED)) == [*DISPENSABLE, *NEEDED]
    for _ in range(2):
        delete_units(guest, Listener())
        assert present(guest, DISPENSABLE) == []
        assert present(guest, NEEDED) == list(NEEDED)
    assert requirement_closure(open_rootfs(guest.root), "kata-containers.target").problems == ()


@pytest.mark.parametrize("how", ["alias", "program"])
def test_the_journal_of_dbus_broker_is_refused(guest: RootfsEditor, how: str) -> None:
    """kata-containers#11126: the bus dies without its journal, and no container starts."""
    broker = "[Service]\nExecStart=/usr/bin/dbus-broker-launch --scope system\n"
    if how == "alias":
        guest.write(f"{UNITS}/dbus-broker.service", broker)
        guest.symlink("/etc/systemd/system/dbus.service", f"{UNITS}/dbus-broker.service")
    else:
        guest.write(f"{UNITS}/dbus.service", broker)
    before = fingerprint(guest.root)
    with pytest.raises(BuildFailed, match="dbus-broker logs to the journal") as caught:
        delete_units(guest, Listener())
    assert "systemd-journald.service" in str(caught.value)
    assert fingerprint(guest.root) == before


def test_a_unit_that_the_target_requires_is_refused_by_the_name_of_who_needs_it(guest: RootfsEditor) -> None:
    guest.write(f"{UNITS}/basic.target", "[Unit]\nRequires=sysinit.target systemd-udevd.service\n")
    guest.write(f"{UNITS}/systemd-udevd.service", "[Service]\nExecStart=/bin/sync\n")
    before = fingerprint(guest.root)
    with pytest.raises(BuildFailed, match=r"basic\.target needs systemd-udevd\.service"):
        delete_units(guest, Listener())
    assert fingerprint(guest.root) == before


def test_directories_of_such_a_name_and_places_outside_stay(guest: RootfsEditor) -> None:
    outside = guest.root.parent / "systemd-journald.service"
    outside.write_text("the host's own")
    guest.make_directory(f"{UNITS}/systemd-random-seed.service")
    guest.symlink("/etc/systemd/system/systemd-random-seed.service", str(outside))
    delete_units(guest, Listener())
    assert guest.lstat(f"{UNITS}/systemd-random-seed.service") is not None
    assert guest.lstat("/etc/systemd/system/systemd-random-seed.service") is None
    assert outside.read_text() == "the host's own"


def test_a_rootfs_without_systemd_has_nothing_to_delete(empty: RootfsEditor) -> None:
    delete_units(empty, Listener())
    assert empty.listdir("/") == []
