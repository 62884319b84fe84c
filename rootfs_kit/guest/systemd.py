"""What systemd needs in order to start the agent: its units, the bus that it talks over, a /tmp in memory.

Units that the agent's tarball brought are kept. The links are made here, since `make install` of the agent makes none,
and a bare binary (AGENT_SOURCE_BIN) comes with nothing.
"""

from __future__ import annotations

from importlib.resources import files

from rootfs_kit.guest.agent import Agent
from rootfs_kit.guest.places import ADMIN_UNITS, PACKAGE_UNITS, holds_a_system, is_file, unit_file, write_anew
from rootfs_kit.monitor import Monitor
from rootfs_kit.tree import RootfsEditor

SERVICE, TARGET, TMP_MOUNT, BUS = "kata-agent.service", "kata-containers.target", "tmp.mount", "dbus.socket"
OURS = "# Written by rootfs-kit"
# Debian up to bookworm has the unit among its examples, where systemd does not look.
TMP_MOUNT_EXAMPLE = "/usr/share/systemd/tmp.mount"


def start_agent_by_systemd(editor: RootfsEditor, agent: Agent, monitor: Monitor) -> None:
    """Install the agent's units and tie them into the boot."""
    provide_unit(editor, SERVICE, agent)
    provide_unit(editor, TARGET, agent)
    _want(editor, "basic.target", TARGET)
    if unit_file(editor, BUS) or not holds_a_system(editor):
        _want(editor, TARGET, BUS)
    else:
        monitor.warn(f"{BUS} is not in the rootfs: no container with a systemd cgroup path can start; install dbus")


def provide_unit(editor: RootfsEditor, name: str, agent: Agent) -> None:
    """Write our unit `name`, unless the tree has one that somebody else wrote."""
    present = unit_file(editor, name)
    if present is None or editor.read_text(present).startswith(OURS):
        write_anew(editor, f"{PACKAGE_UNITS}/{name}", our_unit(name).replace("@AGENT@", agent.path))


def our_unit(name: str) -> str:
    """The text of a unit in `units/`; `@AGENT@` stands for the agent's path."""
    return files("rootfs_kit.guest").joinpath("units", name).read_text(encoding="utf-8")


def provide_tmp_mount(editor: RootfsEditor) -> None:
    """Install tmp.mount where the distribution has none in systemd's search path, or masks it."""
    if unit_file(editor, TMP_MOUNT) is not None:
        return
    has_example = is_file(editor, TMP_MOUNT_EXAMPLE)
    text = editor.read_text(TMP_MOUNT_EXAMPLE) if has_example else our_unit(TMP_MOUNT)
    write_anew(editor, f"{ADMIN_UNITS}/{TMP_MOUNT}", text)


def let_services_enter_the_root(editor: RootfsEditor) -> None:
    """dbus-broker runs as a user of its own, and cannot start below a root directory of mode 0700 (#6677)."""
    entry = editor.lstat("/")
    if entry is not None and entry.mode & 0o051 != 0o051:
        editor.chmod("/", entry.mode | 0o051)


def _want(editor: RootfsEditor, unit: str, wanted: str) -> None:
    """Let `unit` start `wanted` too. systemd goes by the link's name; its target is for people, and for checks."""
    path = f"{ADMIN_UNITS}/{unit}.wants/{wanted}"
    target = unit_file(editor, wanted) or f"{PACKAGE_UNITS}/{wanted}"
    entry = editor.lstat(path)
    if entry is None or entry.target != target:
        editor.symlink(path, target)
