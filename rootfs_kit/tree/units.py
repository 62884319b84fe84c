"""systemd units as the guest's systemd would load them, and what they require, without running systemd.

The text of unit files is unit_syntax.py's part, which files belong to a unit unit_files.py's. What generators make
at boot (mounts from /etc/fstab, for one) is not seen here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree.paths import shown
from rootfs_kit.tree.unit_files import Fragment, UnitFiles
from rootfs_kit.tree.unit_syntax import (
    Assignment,
    Complaint,
    ExecLine,
    is_unit_name,
    parse_unit,
    split_commands,
    split_words,
    unit_type,
    with_specifiers,
)

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

__all__ = [
    "Closure",
    "Complaint",
    "ExecLine",
    "Unit",
    "UnitProblem",
    "UnitProblemKind",
    "find_unit",
    "requirement_closure",
]

REQUIRING = ("Requires", "Requisite", "BindsTo")
# "Note that … dependencies cannot be reset to an empty list": systemd.unit(5).
NEVER_RESET = frozenset(
    {*REQUIRING, "Wants", "Upholds", "PartOf", "Conflicts", "Before", "After", "OnFailure", "OnSuccess"}
)
# Unit types whose default dependencies require sysinit.target (systemd.service(5) and so on, "Default Dependencies").
NEED_SYSINIT = frozenset({"service", "socket", "timer", "path"})
SYSINIT = "sysinit.target"
# systemd makes these itself, file or not (systemd.slice(5), systemd.device(5), systemd.special(7)).
WITHOUT_FILES = frozenset({"slice", "device"})
ALWAYS_THERE = frozenset({"-.mount", "init.scope"})
# Where a program is looked for that an Exec line names without a directory (systemd-path search-binaries-default).
PROGRAM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# What systemd takes for "no" (systemd.syntax(7)).
FALSE = ("0", "no", "n", "false", "f", "off")
# A full desktop has some hundreds; a template whose instances require more of its instances has no end.
MOST_UNITS = 5000


@dataclass(frozen=True)
class Unit:
    """One unit with its drop-ins. `name` is the name that was asked for, `id` the unit's own (they differ by an alias).

    `path` is the file that defines it, or that masks it. `requires` and `wants` hold what the settings and the
    .requires/ and .wants/ directories name; `complaints` the lines that systemd would pass over.
    """

    name: str
    id: str
    path: str
    masked: bool
    names: tuple[str, ...] = ()
    drop_ins: tuple[str, ...] = ()
    assignments: tuple[Assignment, ...] = field(default=(), repr=False)
    complaints: tuple[Complaint, ...] = ()
    requires: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    _locate: Callable[[str], str] = field(default=str, repr=False, compare=False)

    @property
    def sections(self) -> Mapping[str, Mapping[str, list[str]]]:
        """Section -> key -> values, after resets."""
        keys = dict.fromkeys((one.section, one.key) for one in self.assignments)
        found: dict[str, dict[str, list[str]]] = {}
        for section, key in keys:
            found.setdefault(section, {})[key] = self.get(section, key)
        return found

    def get(self, section: str, key: str) -> list[str]:
        """Every value of a setting in order, drop-ins included; an empty assignment drops those before it.

        For a setting that holds one value, the last counts.
        """
        values: list[str] = []
        for one in self.assignments:
            if (one.section, one.key) != (section, key):
                continue
            if one.value:
                values.append(one.value)
            elif key not in NEVER_RESET:
                values.clear()
        return values

    def words(self, section: str, key: str) -> list[str]:
        """The items of a setting that is a list of words, quotes and specifiers resolved."""
        return [with_specifiers(word, self.id) for value in self.get(section, key) for word in split_words(value)]

    def exec_lines(self, key: str) -> list[ExecLine]:
        """The commands of ExecStart=, ExecStop=, …; a program without a directory is looked for as systemd does."""
        section = unit_type(self.id).capitalize()
        lines = (line for value in self.get(section, key) for line in split_commands(value))
        return [
            ExecLine(self._locate(with_specifiers(line.program, self.id)), line.arguments, line.prefixes)
            for line in lines
        ]


class UnitProblemKind(StrEnum):
    """Why a unit that is required cannot be started."""

    MISSING = "missing"
    MASKED = "masked"
    DANGLING = "dangling link"


class UnitProblem(NamedTuple):
    """A unit that cannot be loaded; `path` is the mask or the link at fault, None where there is simply nothing."""

    kind: UnitProblemKind
    unit: str
    required_by: str | None
    path: str | None

    def __str__(self) -> str:
        what = {
            UnitProblemKind.MISSING: "is not there",
            UnitProblemKind.MASKED: "is masked",
            UnitProblemKind.DANGLING: f"is a link that leads nowhere ({shown(self.path or '')})",
        }[self.kind]
        return f"{shown(self.unit)} {what}" + (f"; {shown(self.required_by)} needs it" if self.required_by else "")


class Closure(NamedTuple):
    """All units that must start with one unit: those that were found, by their own names, and what stands in the way.

    `wanted_problems` are units that one of them merely wants: systemd starts without those.
    """

    units: Mapping[str, Unit]
    problems: tuple[UnitProblem, ...]
    wanted_problems: tuple[UnitProblem, ...]


def find_unit(tree: RootfsTree, name: str) -> Unit | None:
    """The unit `name` as systemd would load it; None where it finds none. A masked unit is found, and says so.

    Raises CouldNotLook where a file or directory on the way cannot be read.
    """
    return _find(tree, _unit_files(tree), name)[0]


def requirement_closure(tree: RootfsTree, name: str) -> Closure:
    """Follow Requires=, Requisite=, BindsTo=, .requires/ and what systemd adds to them by itself, from `name` on.

    A problem in there makes systemd refuse `name` as a whole (transaction.c). Raises CouldNotLook as `find_unit`.
    """
    files = _unit_files(tree)
    units: dict[str, Unit] = {}
    problems: dict[str, UnitProblem] = {}
    waiting: list[tuple[str, str | None]] = [(name, None)]
    seen = {name}
    for wanted, by in waiting:
        if len(seen) > MOST_UNITS:
            raise _too_many(name)
        unit, problem = _find(tree, files, wanted, by)
        if problem:
            problems[wanted] = problem
        elif unit and unit.id not in units:
            units[unit.id] = unit
            new = [one for one in unit.requires if one not in seen]
            seen.update(new)
            waiting.extend((one, unit.id) for one in new)
    return Closure(units, tuple(problems.values()), tuple(_wanted_problems(tree, files, units, seen)))


def _too_many(name: str) -> CouldNotLook:
    return CouldNotLook(
        f"following what {shown(name)} requires",
        f"that comes to more than {MOST_UNITS} units",
        "Look for a template whose instances require ever more instances of it.",
    )


def _wanted_problems(
    tree: RootfsTree, files: UnitFiles, units: Mapping[str, Unit], required: set[str]
) -> Iterator[UnitProblem]:
    wants = {one: unit.id for unit in units.values() for one in unit.wants if one not in required}
    for name, by in sorted(wants.items()):
        problem = _find(tree, files, name, by)[1]
        if problem:
            yield problem


@lru_cache(maxsize=8)
def _unit_files(tree: RootfsTree) -> UnitFiles:
    return UnitFiles(tree)


def _find(
    tree: RootfsTree, files: UnitFiles, name: str, required_by: str | None = None
) -> tuple[Unit | None, UnitProblem | None]:
    """The unit, and what would keep it from being started; both are None for one that needs no file and has none."""
    fragment = files.fragment(name)
    if fragment.masked and fragment.path:
        masked = Unit(name, fragment.names[-1], fragment.path, masked=True, names=fragment.names)
        return masked, UnitProblem(UnitProblemKind.MASKED, name, required_by, fragment.path)
    if fragment.path:
        return _load(tree, files, fragment, fragment.path), None
    if unit_type(name) in WITHOUT_FILES or name in ALWAYS_THERE:
        return None, None
    kind = UnitProblemKind.DANGLING if fragment.broken_link else UnitProblemKind.MISSING
    return None, UnitProblem(kind, name, required_by, fragment.broken_link)


def _load(tree: RootfsTree, files: UnitFiles, fragment: Fragment, path: str) -> Unit:
    name, id = fragment.names[0], fragment.names[-1]
    names = tuple(dict.fromkeys((id, *fragment.names, *files.aliases(id))))
    drop_ins = files.drop_ins(names)
    assignments: list[Assignment] = []
    complaints: list[Complaint] = []
    for file in (path, *drop_ins):
        more, bad = parse_unit(tree.read_text(file), file)
        assignments += more
        complaints += bad
    unit = Unit(name, id, path, False, names, drop_ins, tuple(assignments), tuple(complaints))
    return replace(
        unit,
        requires=_named(unit, REQUIRING, (link.unit for link in files.links(names, "requires")), _implied(unit)),
        wants=_named(unit, ("Wants", "Upholds"), (link.unit for link in files.links(names, "wants")), ()),
        _locate=partial(_located, tree),
    )


def _named(unit: Unit, keys: Iterable[str], linked: Iterable[str], implied: Iterable[str]) -> tuple[str, ...]:
    words = (word for key in keys for word in unit.words("Unit", key))
    return tuple(dict.fromkeys(name for name in (*words, *linked, *implied) if is_unit_name(name)))


def _implied(unit: Unit) -> Iterator[str]:
    """What a unit requires without saying so (systemd.service(5), "Automatic Dependencies")."""
    asked = unit.get("Unit", "DefaultDependencies") or ["yes"]
    if unit_type(unit.id) in NEED_SYSINIT and asked[-1].lower() not in FALSE:
        yield SYSINIT
    if unit_type(unit.id) == "service" and unit.get("Service", "BusName"):
        yield "dbus.socket"


def _located(tree: RootfsTree, program: str) -> str:
    if "/" in program:
        return program
    places = (f"{directory}/{program}" for directory in PROGRAM_PATH)
    return next((place for place in places if tree.file(place).is_executable), f"/usr/bin/{program}")
