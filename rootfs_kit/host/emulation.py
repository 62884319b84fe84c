"""Whether programs of another architecture run on this host, as packages do while they are installed.

The kernel hands them to an emulator of qemu-user that is registered with it (Documentation/admin-guide/binfmt-misc.rst
of Linux). Inside a new tree the emulator is found only where it was opened at registration: the flag F.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rootfs_kit.backends import Tool
from rootfs_kit.errors import HostLacks
from rootfs_kit.host import as_root, install_command

BINFMT_MISC = Path("/proc/sys/fs/binfmt_misc")
FIX_BINARY = "F"
EMULATORS = Tool(
    "qemu-user",
    {
        "debian": "qemu-user-static binfmt-support",
        "fedora": "qemu-user-static",
        "alpine": "qemu-openrc",
        "opensuse": "qemu-linux-user",
        "arch": "qemu-user-static qemu-user-static-binfmt",
    },
)

# What 64-bit kernels run besides: their own machine's 32-bit programs.
RUNS_TOO = {"x86_64": ("i386", "i486", "i586", "i686")}


@dataclass(frozen=True)
class Obstacle:
    """Why programs of a machine do not run here, and the command that mends it."""

    found: str
    mend: str


def obstacle(machine: str, here: str | None = None, binfmt_misc: Path = BINFMT_MISC) -> Obstacle | None:
    """What keeps programs of `machine` from running on the machine `here` (this one); None where they run."""
    here = here or os.uname().machine
    if machine == here or machine in RUNS_TOO.get(here, ()):
        return None
    if not (binfmt_misc / "register").exists():
        mount = as_root(f"mount -t binfmt_misc binfmt_misc {binfmt_misc}")
        install = install_command([EMULATORS])
        return Obstacle("binfmt_misc of this host's kernel is not mounted", f"{mount}; {install}")
    entry = _entry(machine, binfmt_misc)
    if entry is None:
        return Obstacle(f"no emulator of {machine} is registered with this host's kernel", install_command([EMULATORS]))
    return _fault_of(entry)


def require_runnable(machine: str, binfmt_misc: Path = BINFMT_MISC) -> None:
    """Raise HostLacks, with the command that mends it, where programs of `machine` do not run here."""
    found = obstacle(machine, binfmt_misc=binfmt_misc)
    if found is not None:
        raise HostLacks(f"preparing a build for {machine}", found.found, found.mend)


def _entry(machine: str, binfmt_misc: Path) -> Path | None:
    """The registration of an emulator, by the names that the distributions' packages give it."""
    arch = "arm" if machine.startswith("armv") else machine
    names = (f"qemu-{arch}", f"qemu-user-{arch}", f"qemu-{arch}-static")
    return next((binfmt_misc / name for name in names if (binfmt_misc / name).is_file()), None)


def _fault_of(entry: Path) -> Obstacle | None:
    """What is wrong with a registration: `enabled` or `disabled`, and `flags:`, as the kernel tells them."""
    try:
        lines = entry.read_text().splitlines()
    except OSError as error:
        return Obstacle(f"{entry}: {error.strerror}", "")
    if "disabled" in lines:
        return Obstacle(f"the emulator {entry.name} is disabled", as_root(f"sh -c 'echo 1 > {entry}'"))
    flags = next((line.partition(":")[2].strip() for line in lines if line.startswith("flags:")), "")
    if FIX_BINARY not in flags:
        found = f"the emulator {entry.name} is not found inside a new tree (it is registered without the flag F)"
        return Obstacle(found, install_command([EMULATORS]))
    return None
