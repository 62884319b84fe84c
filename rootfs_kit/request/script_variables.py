"""Variables of osbuilder's that only a distribution's config.sh has a use for.

They are no knobs, since nothing of rootfs-kit's own would change with them. They are read here like all others, once,
and go along with the request to wherever the config.sh is read and run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from rootfs_kit.errors import UsageError

DNF_CONF = "DNF_CONF"
PKG_MANAGER = "PKG_MANAGER"
OF_DNF = ("DISTRO_REPO", DNF_CONF, PKG_MANAGER)
MEASURED_ROOTFS = "MEASURED_ROOTFS"
NAMES = (MEASURED_ROOTFS, *OF_DNF)

ScriptVariables = tuple[tuple[str, str], ...]
"""Names and values, sorted."""

# A mirror for the guests of one machine: REPO_URL_X86_64.
_MIRROR_OF_MACHINE = re.compile("REPO_URL_[A-Z0-9_]+")


def script_variables(environ: Mapping[str, str], base: Path) -> ScriptVariables:
    """Those that are set in `environ`; an empty one is not. Raises UsageError that names variable and value."""
    named = {
        name: value
        for name, value in environ.items()
        if value and (name in NAMES or _MIRROR_OF_MACHINE.fullmatch(name))
    }
    if named.get(MEASURED_ROOTFS, "no") not in ("yes", "no"):
        raise UsageError(
            f"reading {MEASURED_ROOTFS} from the environment",
            f'"{named[MEASURED_ROOTFS]}" is neither yes nor no',
            f"{MEASURED_ROOTFS} takes yes or no.",
        )
    if DNF_CONF in named:
        named[DNF_CONF] = str(base / named[DNF_CONF])
    return tuple(sorted(named.items()))


def mirror_variable(machine: str) -> str:
    """The variable that names the mirror for one machine, by the kernel's name."""
    return f"REPO_URL_{machine.upper()}"
