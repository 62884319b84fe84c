"""chronyd's unit, mended by a drop-in: the distribution's own file stays as it came.

A guest may have no PTP clock, a read-only root without /var/lib/chrony, and no user for chronyd. Each of these keeps
the unsandboxed original from starting (kata-containers#4167: "status=226/NAMESPACE").
"""

from __future__ import annotations

import re

from rootfs_kit.guest.clock import PROGRAMS
from rootfs_kit.guest.places import ADMIN_UNITS, UNIT_DIRECTORIES, is_file, unit_file, write_anew
from rootfs_kit.tree import RootfsEditor

# What kata-containers.target wants, and what Debian calls its unit.
WANTED, DEBIAN_UNIT = "chronyd.service", "chrony.service"
DROP_IN = "10-kata.conf"
HEAD = """\
# Written by rootfs-kit. Without a clock of the host's there is nothing to follow; on a read-only root nothing can be
# created below /var, and chronyd does without.

[Unit]
ConditionPathExists=/dev/ptp0

[Service]
StateDirectory=
LogsDirectory=
"""
# What Debian's unit and Fedora's let chronyd write to, for an overlay whose base is not known.
USUAL_PATHS = "-/run -/var/lib/chrony -/var/log -/var/spool"


def mend_clock_unit(editor: RootfsEditor) -> None:
    """Let chronyd's unit start in any guest, and be found under the name that Kata's target wants it by."""
    name = next((name for name in (WANTED, DEBIAN_UNIT) if _own_file(editor, name)), None)
    if name is None:
        return
    unit = editor.read_text(_own_file(editor, name) or "")
    write_anew(editor, _drop_in(name), HEAD + _writable_paths(unit) + _user(editor, unit))
    if unit_file(editor, WANTED) is None:
        editor.symlink(f"{ADMIN_UNITS}/{WANTED}", unit_file(editor, name) or name)


def bring_clock_units(editor: RootfsEditor) -> None:
    """For an overlay whose base is not known: the drop-in under both names, and a wish for Debian's name as well.

    Both do nothing where there is no such unit. A link chronyd.service would not do: over Fedora it would hide the
    unit of that name and lead nowhere.
    """
    for name in (WANTED, DEBIAN_UNIT):
        write_anew(editor, _drop_in(name), f"{HEAD}ReadWritePaths=\nReadWritePaths={USUAL_PATHS}\n")
    editor.symlink(f"{ADMIN_UNITS}/kata-containers.target.wants/{DEBIAN_UNIT}", f"{UNIT_DIRECTORIES[1]}/{DEBIAN_UNIT}")


def _drop_in(name: str) -> str:
    return f"{ADMIN_UNITS}/{name}.d/{DROP_IN}"


def _own_file(editor: RootfsEditor, name: str) -> str | None:
    """The unit's file, unless the name is only an alias: a link to a unit of another name."""
    path = unit_file(editor, name)
    final = editor.resolve(path).final if path else None
    return final if final is not None and final.endswith(f"/{name}") else None


def _writable_paths(unit: str) -> str:
    """The unit's ReadWritePaths with those below /var made optional, and the directories that it no longer makes."""
    words = [word for value in _values(unit, "ReadWritePaths") for word in value.split()]
    mended = [_optional(word) for word in words]
    made = [f"-/var/lib/{name}" for value in _values(unit, "StateDirectory") for name in value.split()]
    made += [f"-/var/log/{name}" for value in _values(unit, "LogsDirectory") for name in value.split()]
    lines = ["ReadWritePaths="] if mended != words else []
    paths = dict.fromkeys((*mended, *made) if lines else made)
    return "".join(f"{line}\n" for line in (*lines, *([f"ReadWritePaths={' '.join(paths)}"] if paths else [])))


def _optional(word: str) -> str:
    return f"-{word}" if word.startswith("/var/") else word


def _user(editor: RootfsEditor, unit: str) -> str:
    """Nothing where the user that the unit names exists; else chronyd stays root, as nobody else is there."""
    start = next(iter(_values(unit, "ExecStart")), "")
    option = re.search(r"\s-u\s*(\S+)", start)
    named = [*_values(unit, "User")[-1:], *([option[1]] if option else [])]
    if not [user for user in named if not _is_known(editor, user)]:
        return ""
    command = re.sub(r"\s-u\s*\S+", "", start) or PROGRAMS[0]
    return f"User=\nExecStart=\nExecStart={command} -u root\n"


def _is_known(editor: RootfsEditor, user: str) -> bool:
    passwd = editor.read_text("/etc/passwd") if is_file(editor, "/etc/passwd") else ""
    return user.isdigit() or any(line.startswith(f"{user}:") for line in passwd.splitlines())


def _values(unit: str, key: str) -> list[str]:
    return [line.partition("=")[2].strip() for line in unit.splitlines() if line.partition("=")[0].strip() == key]
