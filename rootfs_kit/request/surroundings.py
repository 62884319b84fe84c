"""What the program reads from its process, once, at the edge; everything further in gets it as a value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rootfs_kit.errors import UsageError
from rootfs_kit.request.script_variables import ScriptVariables, script_variables

DISTROS_PATH = "ROOTFS_KIT_DISTROS_PATH"


@dataclass(frozen=True)
class Surroundings:
    """Environment, working directory, this host's machine (`uname -m`) and the day."""

    environ: Mapping[str, str]
    cwd: Path
    machine: str
    today: date

    @classmethod
    def of_this_process(cls) -> Surroundings:
        """Raises UsageError where the working directory was deleted."""
        return cls(dict(os.environ), _working_directory(), os.uname().machine, date.today())

    @property
    def cache_dir(self) -> Path:
        """Where to keep what another run can use again; it may not exist (XDG Base Directory Specification)."""
        named = self.environ.get("XDG_CACHE_HOME", "")
        base = Path(named) if named.startswith("/") else Path(self.environ.get("HOME") or "/root", ".cache")
        return base / "rootfs-kit"

    @property
    def script_variables(self) -> ScriptVariables:
        """What a config.sh is told besides the request. Raises UsageError."""
        return script_variables(self.environ, self.cwd)

    def distros_dirs(self, named: Iterable[str | Path]) -> tuple[Path, ...]:
        """Where to look for distributions besides the built-in ones: those `named`, then the environment's."""
        variable = [entry for entry in self.environ.get(DISTROS_PATH, "").split(os.pathsep) if entry]
        return tuple(self.cwd / entry for entry in (*named, *variable))


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("starting", "the working directory was deleted", "Change to one that exists.") from None
