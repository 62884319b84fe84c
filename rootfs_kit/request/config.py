"""Reads a build that is described in a TOML file (`--config build.toml`).

Every knob has the name of its long option without the dashes; `distro` names the distribution and `distros-dir`
directories with more of them. Relative paths count from the file's own directory.

    distro = "debian"
    os-version = "bookworm"
    agent-bin = "out/kata-agent"
    extra-pkgs = ["strace", "jq"]
    seccomp = false
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rootfs_kit.errors import UsageError
from rootfs_kit.request.knob import Knob
from rootfs_kit.request.knobs import KNOBS
from rootfs_kit.request.settings import Layer, Origin, Setting, Source
from rootfs_kit.request.values import BadValue, in_home
from rootfs_kit.toml import Table, read_table

DISTRO_KEY = "distro"
DISTROS_DIR_KEY = "distros-dir"
MATRIX_KEY = "matrix"
"""What `rootfs-kit matrix` builds from the same file (`matrix/cells.py`); one build has no use for it."""


@dataclass(frozen=True)
class Config:
    """What a file says: the distribution, where to look for more of them, and the knobs."""

    distro: str | None = None
    distro_origin: Origin | None = None
    distros_dirs: tuple[Path, ...] = ()
    layer: Layer = field(default_factory=dict)


def read_config(path: Path) -> Config:
    """The build that the file `path` (absolute) describes.

    Raises UsageError with file and line for bad syntax, an unknown key (with the nearest) or a wrong value.
    """
    table = read_table(path)
    table.refuse_unknown([DISTRO_KEY, DISTROS_DIR_KEY, MATRIX_KEY, *(knob.key for knob in KNOBS)])
    base = path.parent.resolve()
    return Config(
        distro=_distro(table, base) if DISTRO_KEY in table else None,
        distro_origin=_origin(table, DISTRO_KEY) if DISTRO_KEY in table else None,
        distros_dirs=tuple(base / directory for directory in table.words(DISTROS_DIR_KEY, ())),
        layer={knob.field: _setting(table, knob, base) for knob in KNOBS if knob.key in table},
    )


def _distro(table: Table, base: Path) -> str:
    """The name of a distribution, or the path of the directory that describes it."""
    text = table.text(DISTRO_KEY)
    return str(base / in_home(text)) if "/" in text else text


def _setting(table: Table, knob: Knob, base: Path) -> Setting:
    try:
        value = knob.kind.from_toml(table.data[knob.key], base)
    except BadValue as error:
        raise UsageError(
            f"reading {table.path}",
            f"line {table.line(knob.key)}, {knob.key}: {error}",
            f"Give {knob.key} as {_in_toml(knob)}.",
        ) from None
    return Setting(value, _origin(table, knob.key))


def _in_toml(knob: Knob) -> str:
    if knob.is_switch:
        return "true or false"
    return f"a list of strings: {knob.kind.wants}" if knob.is_repeatable else knob.kind.wants


def _origin(table: Table, key: str) -> Origin:
    return Origin(Source.FILE, table.where(key))
