"""Deleting the units that a guest does without: rootfs.sh's `-d`, with the names spelt right, and not blindly.

A guest has no seat, no swap, no other disks and no time to write a journal. But dbus-broker logs to journald and dies
without it, taking the agent's cgroups along (kata-containers#11126), and a unit that Kata's target requires takes the
whole boot along: so what would be missed is looked up first, and nothing is deleted where anything is.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

from rootfs_kit.errors import BuildFailed
from rootfs_kit.guest.systemd import BUS, TARGET
from rootfs_kit.monitor import Monitor
from rootfs_kit.tree import RootfsEditor, RootfsTree, open_rootfs
from rootfs_kit.tree.paths import basename, shown
from rootfs_kit.tree.units import Unit, find_unit, requirement_closure

STEMS = (
    "systemd-coredump@",
    "systemd-journal-flush",
    "systemd-journald",
    "systemd-journald-dev-log",
    "systemd-random-seed",
    "systemd-timesyncd",
    "systemd-tmpfiles-setup",
    "systemd-udev-trigger",
    "systemd-udevd",
    "systemd-udevd-control",
    "systemd-udevd-kernel",
    "systemd-update-utmp",
)
OTHERS = (
    "systemd-bless-boot-generator",
    "systemd-fstab-generator",
    "systemd-getty-generator",
    "systemd-gpt-auto-generator",
    # rootfs.sh says "cleanup", a name that no unit has, and keeps this one.
    "systemd-tmpfiles-clean.timer",
)
NAMES = frozenset({*(f"{stem}.{kind}" for stem in STEMS for kind in ("service", "socket")), *OTHERS})

BUS_SERVICE = "dbus.service"
BROKER = "dbus-broker"
JOURNAL = ("systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket")


def delete_units(editor: RootfsEditor, monitor: Monitor) -> None:
    """Delete the files and links of these names, wherever they are, and the links that then lead nowhere.

    Raises BuildFailed, with everything still there, when the guest would miss one of them.
    """
    tree = open_rootfs(editor.root)
    doomed = {entry.path for entry in tree.walk() if basename(entry.path) in NAMES and not entry.is_directory}
    _require_dispensable(tree, doomed)
    aliases = [entry.path for entry in tree.walk() if entry.is_symlink and tree.resolve(entry.path).final in doomed]
    for path in sorted(doomed.union(aliases)):
        editor.remove(path)
        monitor.detail(f"deleted {shown(path)}")


def _require_dispensable(tree: RootfsTree, doomed: Set[str]) -> None:
    for name, needed_by in _needs(tree):
        unit = find_unit(tree, name)
        if unit is not None and tree.resolve(unit.path).final in doomed:
            raise BuildFailed(
                "deleting the units that a guest does without",
                f"{needed_by} needs {name}: the guest would not start its agent's containers",
                "Leave out --delete-units, or choose packages that do without that unit (dbus instead of dbus-broker).",
            )


def _needs(tree: RootfsTree) -> Iterator[tuple[str, str]]:
    """Each unit that must stay, with the one that needs it."""
    bus = find_unit(tree, BUS_SERVICE)
    if bus is not None and _is_broker(bus):
        yield from ((name, f"{bus.id} (dbus-broker logs to the journal)") for name in JOURNAL)
    for root in (TARGET, BUS, BUS_SERVICE):
        for unit in requirement_closure(tree, root).units.values():
            yield from ((name, unit.id) for name in unit.requires)


def _is_broker(bus: Unit) -> bool:
    return BROKER in bus.id or any(BROKER in line.program for line in bus.exec_lines("ExecStart"))
