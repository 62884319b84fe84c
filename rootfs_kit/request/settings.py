"""Reads the knobs from wherever they were set, and remembers where that was.

One layer per source: command line, environment, file, the distribution's defaults, built-in defaults. The first
layer that knows a knob wins. What a combination of values means for a build is `planning.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rootfs_kit.errors import UsageError
from rootfs_kit.request.knob import Knob
from rootfs_kit.request.knobs import KNOBS
from rootfs_kit.request.values import BadValue, Switch, shown


class Source(StrEnum):
    """The kinds of places that a value comes from, strongest first."""

    COMMAND_LINE = "command line"
    ENVIRONMENT = "environment"
    FILE = "file"
    DISTRO = "distribution's default"
    BUILT_IN = "built-in default"
    IMPLIED = "implied"


@dataclass(frozen=True)
class Origin:
    """Where a value comes from: the source, and the option, variable, `file:line` or reason within it."""

    source: Source
    name: str = ""

    def __str__(self) -> str:
        match self.source:
            case Source.FILE:
                return self.name
            case Source.IMPLIED:
                return f"because of {self.name}"
            case Source.DISTRO | Source.BUILT_IN:
                return str(self.source)
            case _:
                return f"{self.source}, {self.name}"


@dataclass(frozen=True)
class Setting:
    """A knob's value, and where it comes from."""

    value: Any
    origin: Origin

    @property
    def shown(self) -> str:
        return shown(self.value)


Layer = dict[str, Setting]


def from_command_line(given: Mapping[str, object], base: Path) -> Layer:
    """The settings of the options that were `given`, by field: texts, tuples of texts, or true and false.

    Raises UsageError that names the option.
    """
    layer: Layer = {}
    for knob in KNOBS:
        value = given.get(knob.field)
        if value is None or value == ():
            continue
        if isinstance(value, bool):
            name = knob.flag if value else f"--no-{knob.key}"
            layer[knob.field] = Setting(value, Origin(Source.COMMAND_LINE, name))
            continue
        texts = value if isinstance(value, tuple) else (value,)
        read = [_read(knob, str(text), base, "the command line", knob.flag) for text in texts]
        joined = tuple(dict.fromkeys(item for each in read for item in each)) if knob.is_repeatable else read[-1]
        layer[knob.field] = Setting(joined, Origin(Source.COMMAND_LINE, knob.flag))
    return layer


def from_environment(environ: Mapping[str, str], base: Path, stronger: Iterable[str] = (), machine: str = "") -> Layer:
    """The settings that osbuilder's variables in `environ` make; an empty variable is one that is not set.

    Variables of the fields in `stronger` are not looked at. `machine` is the guest's, unless a variable says another.
    Raises UsageError that names variable and value.
    """
    skipped = frozenset(stronger)
    layer: Layer = {}
    for knob in KNOBS:
        if knob.field in skipped:
            continue
        layer.update(_of_words(knob, environ))
        if knob.environment is None:
            continue
        switched_on = _switched_on(knob, environ, base)
        name = knob.variable(environ, layer["arch"].value if "arch" in layer else machine)
        text = environ.get(name, "")
        if switched_on is False:
            layer[knob.field] = Setting(None, Origin(Source.ENVIRONMENT, str(knob.switched_by)))
        elif text and (switched_on or knob.switched_by is None):
            value = _read(knob, text, base, "the environment", name)
            layer[knob.field] = Setting(value, Origin(Source.ENVIRONMENT, name))
    return layer


def built_in(machine: str) -> Layer:
    """The built-in defaults; `machine` is this host's architecture as `uname -m` prints it."""
    origin = Origin(Source.BUILT_IN)
    layer = {knob.field: Setting(knob.default, origin) for knob in KNOBS}
    layer["arch"] = Setting(machine, origin)
    return layer


def merged(*layers: Layer) -> Layer:
    """One layer out of several, the strongest first, in the order of the table of knobs."""
    known: Layer = {}
    for layer in reversed(layers):
        known.update(layer)
    return {knob.field: known[knob.field] for knob in KNOBS if knob.field in known}


def require_switched_files(settings: Layer, environ: Mapping[str, str]) -> None:
    """Raise UsageError where a variable such as AGENT_POLICY=yes asks for a file that nothing names."""
    for knob in KNOBS:
        if knob.switched_by and environ.get(knob.switched_by) == "yes" and settings[knob.field].value is None:
            raise UsageError(
                "reading the environment",
                f"{knob.switched_by} is yes, and {knob.environment} names no file",
                f"Set {knob.environment} to {knob.kind.wants}, or give {knob.flag} {knob.kind.metavar}.",
            )


def unused_variables(environ: Mapping[str, str]) -> list[str]:
    """What to tell about variables that count only together with another, which is not set."""
    return [
        f"{knob.environment} is set and not used: {knob.switched_by}=yes would switch it on"
        for knob in KNOBS
        if knob.environment and knob.switched_by
        if environ.get(knob.environment) and not environ.get(knob.switched_by)
    ]


def _of_words(knob: Knob, environ: Mapping[str, str]) -> Layer:
    """What a variable that only has to hold something says (`[ -n "${USE_DOCKER}" ]`, rootfs.sh:524-528)."""
    for name, word in knob.environment_words:
        if environ.get(name):
            return {knob.field: Setting(word, Origin(Source.ENVIRONMENT, name))}
    return {}


def _switched_on(knob: Knob, environ: Mapping[str, str], base: Path) -> bool | None:
    """What the variable that switches `knob` says; None where there is none or it is not set."""
    text = environ.get(knob.switched_by or "", "")
    if not text or knob.switched_by is None:
        return None
    try:
        return Switch().from_text(text, base)
    except BadValue as error:
        raise _refused(knob.switched_by, error, Switch.wants, "the environment") from None


def _read(knob: Knob, text: str, base: Path, place: str, name: str) -> Any:
    try:
        return knob.kind.from_text(text, base)
    except BadValue as error:
        raise _refused(name, error, knob.kind.wants, place) from None


def _refused(name: str, error: BadValue, wants: str, place: str) -> UsageError:
    return UsageError(f"reading {name} from {place}", str(error), f"{name} takes {wants}.")
