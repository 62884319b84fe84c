"""What a knob is: one thing about a build that can be set, on the command line, in the environment and in TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum

from rootfs_kit.request import BuildRequest
from rootfs_kit.request.values import Files, Kind, Switch, Words, shown


class Section(StrEnum):
    """The headings of `--help` and `show`."""

    WHAT = "What to build"
    AGENT = "Agent and init"
    GUEST = "Abilities of the guest"
    CHANGES = "Further changes to the rootfs"
    WORK = "How the build is done"


EVERYWHERE = frozenset({"build", "overlay"})
BUILD_ONLY = frozenset({"build"})


@dataclass(frozen=True)
class Knob:
    """One thing that can be set. `field` is BuildRequest's.

    `environment` is osbuilder's name for it; where `switched_by` is given, that variable must say yes for
    `environment` to count. `has_machines` says that there is such a variable for each machine as well, which counts
    more: REPO_URL_X86_64. `environment_words` are variables that mean a value as soon as they hold anything; the
    first that does counts. `default_words` says in `--help` what no constant can.
    """

    field: str
    section: Section
    flags: tuple[str, ...]
    kind: Kind
    help: str
    environment: str | None = None
    switched_by: str | None = None
    has_machines: bool = False
    environment_words: tuple[tuple[str, str], ...] = ()
    default_words: str | None = None
    commands: frozenset[str] = EVERYWHERE

    @property
    def flag(self) -> str:
        """The long option: `--rootfs-dir`."""
        return self.flags[-1]

    @property
    def key(self) -> str:
        """The name in a TOML file: `rootfs-dir`."""
        return self.flag.removeprefix("--")

    @property
    def is_switch(self) -> bool:
        return isinstance(self.kind, Switch)

    @property
    def is_repeatable(self) -> bool:
        return isinstance(self.kind, Files | Words)

    @property
    def default(self) -> object:
        """The built-in default; None where there is none, or where it hangs on the rest of the request."""
        return _DEFAULTS.get(self.field)

    @property
    def default_shown(self) -> str:
        """The default as `--help` and `show` put it; empty where there is none."""
        if self.default_words is not None:
            return self.default_words
        return "" if self.default in (None, ()) else shown(self.default)

    def variable(self, environ: Mapping[str, str], machine: str) -> str:
        """The variable that counts in `environ` for a guest of `machine`; empty where there is none."""
        of_machine = f"{self.environment}_{machine.upper()}"
        return of_machine if self.has_machines and environ.get(of_machine) else self.environment or ""

    @property
    def environment_shown(self) -> str:
        """How the knob is set through the environment; empty where it is not."""
        if self.switched_by:
            return f"{self.switched_by}=yes and {self.environment}"
        if self.environment and self.is_switch:
            return f"{self.environment}=yes|no"
        return self.environment or ", ".join(name for name, _ in self.environment_words)

    @property
    def spellings(self) -> str:
        """The ways to set it, for a hint: `--agent-init (AGENT_INIT=yes|no)`."""
        return f"{self.flag} ({self.environment_shown})" if self.environment else self.flag


_DEFAULTS = {field.name: field.default for field in fields(BuildRequest) if field.default is not MISSING}
