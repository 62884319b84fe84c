"""The builds that a description asks for: every combination of the values in its `[matrix]`, but for those excluded.

distro = "debian"
agent-bin = "kata-agent"
rootfs-dir = "out"                  # one rootfs for each build goes into this directory

[matrix]                            # each key is an option's, or "distro"
os-version = ["bookworm", "trixie"]
agent-init = [false, true]

[[matrix.exclude]]                  # a build that has all of these is left out
os-version = "bookworm"
agent-init = true
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePath

from rootfs_kit.errors import UsageError
from rootfs_kit.output import is_name_of_archive
from rootfs_kit.planning import PlannedBuild, Said, plan_build, require_inputs
from rootfs_kit.request.config import DISTRO_KEY, MATRIX_KEY
from rootfs_kit.request.knob import Knob
from rootfs_kit.request.knobs import KNOBS
from rootfs_kit.request.surroundings import Surroundings
from rootfs_kit.request.values import File, Files, in_home
from rootfs_kit.toml import Table, read_table

Value = str | bool
EXCLUDE = "exclude"
MOST_CELLS = 1000
DEFAULT_PLACE = "matrix"
# What each build has for itself, and what one run has in common.
NOT_AXES = frozenset({"rootfs_dir", "engine", "log"})
_BY_KEY = {knob.key: knob for knob in KNOBS}
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Cell:
    """One combination: the values by their keys, in the order of the axes."""

    values: Mapping[str, Value]

    @property
    def name(self) -> str:
        """Told from all others by this, and fit for a file name: `debian-bookworm-agent-init`."""
        words = [_word(key, value) for key, value in self.values.items()]
        return "-".join(word for word in words if word) or "build"


@dataclass(frozen=True)
class Spelling:
    """How the command of one build names things, which may be run elsewhere.

    `config` and `rootfs_dir` are its files, and `base` is where relative paths of the description count from;
    `distros_dirs` are where it looks for distributions besides the built-in ones.
    """

    config: str
    rootfs_dir: str
    base: PurePath
    distros_dirs: tuple[str, ...] = ()
    engine: str | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """What every build of the matrix is told besides its own values."""
        distros = [word for each in self.distros_dirs for word in ("--distros-dir", each)]
        engine = ("--engine", self.engine) if self.engine is not None else ()
        return (*distros, *engine, "--rootfs-dir", self.rootfs_dir)


@dataclass(frozen=True)
class CellBuild:
    """One build of a matrix, planned: `rootfs_dir` is where it goes."""

    cell: Cell
    planned: PlannedBuild
    config: Path
    rootfs_dir: Path

    @property
    def name(self) -> str:
        return self.cell.name

    def arguments(self, spelt: Spelling) -> tuple[str, ...]:
        """The arguments of the rootfs-kit command that builds it."""
        values = {key: _from(spelt.base, key, value) for key, value in self.cell.values.items()}
        options = [option for key, value in values.items() for option in _option(key, value)]
        distro = (str(values[DISTRO_KEY]),) if DISTRO_KEY in values else ()
        return ("build", *distro, "--config", spelt.config, *options, *spelt.options)

    def command_line(self, spelt: Spelling) -> str:
        """The same for a shell."""
        return shlex.join(("rootfs-kit", *self.arguments(spelt)))


def in_turn(engines: Sequence[str], number: int) -> str | None:
    """The engine of the build with that number (from 0); None where none was named."""
    return engines[number % len(engines)] if engines else None


def plan_matrix(config: Path, distros_dirs: tuple[str, ...], around: Surroundings) -> list[CellBuild]:
    """Every build of the description `config`, in order.

    Raises UsageError for a wrong description, and for a combination that cannot be built, with all there are of these.
    """
    cells = read_cells(config)
    builds, complaints = [], []
    for cell in cells:
        try:
            builds.append(_planned(cell, config, distros_dirs, around))
        except UsageError as error:
            complaints.append(f"{cell.name}: {error.found}")
    if complaints:
        raise UsageError(
            f"planning the builds of {config}",
            "\n    ".join((f"{len(complaints)} of {len(cells)} cannot be built:", *complaints)),
            f"Leave them out with [[{MATRIX_KEY}.{EXCLUDE}]].",
        )
    return builds


def read_cells(config: Path) -> list[Cell]:
    """The combinations that the file asks for. Raises UsageError with file and line."""
    top = read_table(config)
    if MATRIX_KEY not in top:
        top.refuse(None, f"there is no [{MATRIX_KEY}] in it", "See `rootfs-kit matrix --help` for what to write.")
    table = top.table(MATRIX_KEY)
    knobs = {knob.key: knob for knob in KNOBS if knob.field not in NOT_AXES and "build" in knob.commands}
    table.refuse_unknown([DISTRO_KEY, *knobs, EXCLUDE])
    axes = {key: _values(table, key, knobs.get(key)) for key in table.data if key != EXCLUDE}
    exclusions = [_exclusion(each, axes) for each in table.tables(EXCLUDE)]
    combinations = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    cells = [Cell(each) for each in combinations if not any(rule.items() <= each.items() for rule in exclusions)]
    _require_some(table, cells)
    return cells


def _values(table: Table, key: str, knob: Knob | None) -> tuple[Value, ...]:
    values = table.data[key]
    wanted = bool if knob is not None and knob.is_switch else str
    if not isinstance(values, list) or not values or not all(isinstance(value, wanted) for value in values):
        table.refuse_type(key, "a list of true and false" if wanted is bool else "a list of strings")
    return tuple(dict.fromkeys(values))


def _exclusion(table: Table, axes: Mapping[str, tuple[Value, ...]]) -> dict[str, Value]:
    table.refuse_unknown(axes)
    for key, value in table.data.items():
        if value not in axes[key]:
            table.refuse(key, f"{value!r} is none of the values of {key}", "Correct that line, or take it out.")
    return dict(table.data)


def _require_some(table: Table, cells: list[Cell]) -> None:
    if not cells:
        table.refuse(None, "nothing is left to be built", "Take out one of the exclusions.")
    names = [cell.name for cell in cells]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        table.refuse(None, f"two of its builds would be called {twice}", "Give their files different names.")
    if len(cells) > MOST_CELLS:
        table.refuse(None, f"it asks for {len(cells)} builds, more than {MOST_CELLS}", "Take out some values.")


def _planned(cell: Cell, config: Path, distros_dirs: tuple[str, ...], around: Surroundings) -> CellBuild:
    values = {key: _from(config.parent.resolve(), key, value) for key, value in cell.values.items()}
    options = {_BY_KEY[key].field: value for key, value in values.items() if key != DISTRO_KEY}
    distro = values.get(DISTRO_KEY)
    said = Said(str(distro) if distro is not None else None, options, str(config), distros_dirs)
    planned = plan_build(said, around)
    require_inputs(planned.settings)
    rootfs_dir = _place(planned, config) / cell.name
    return CellBuild(cell, planned, config, rootfs_dir)


def _place(planned: PlannedBuild, config: Path) -> Path:
    """The directory that holds all of them: the description's rootfs-dir, or one beside the description."""
    top = read_table(config)
    return planned.request.rootfs_dir if "rootfs-dir" in top else config.parent.resolve() / DEFAULT_PLACE


def _from(base: PurePath, key: str, value: Value) -> Value:
    """`value` as an option gives it: a relative path of the description counts from `base`."""
    if isinstance(value, bool) or not value:
        return value
    is_path = "/" in value if key == DISTRO_KEY else isinstance(_BY_KEY[key].kind, File | Files)
    if not is_path:
        return value
    path = str(base / in_home(value))
    return path if "/" in path else f"./{path}"  # a distribution without a slash would be a name


def _word(key: str, value: Value) -> str:
    if key == "agent-init":
        return "agent-init" if value else "systemd"
    if isinstance(value, bool):
        return key if value else ""
    path = Path(value)
    while is_name_of_archive(path):  # what is built of kata-agent.tar.zst may be a directory
        path = path.with_suffix("")
    return _UNFIT.sub("_", path.name).strip("_")


def _option(key: str, value: Value) -> tuple[str, ...]:
    if key == DISTRO_KEY:
        return ()
    if isinstance(value, bool):
        return (f"--{key}" if value else f"--no-{key}",)
    return (f"--{key}", value)
