"""Which of two versions is the newer, by the rules of the package format that they belong to.

One string can mean different things: 1.0 and 1.0-1 are equal to pacman and are not to dpkg. Every rule here is
total (any text has a place in the order, as a database may hold any text) and linear in its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from rootfs_kit.errors import UsageError
from rootfs_kit.tree.packages.version_alpm import compare_alpm
from rootfs_kit.tree.packages.version_apk import apk_key
from rootfs_kit.tree.packages.version_dpkg import dpkg_key
from rootfs_kit.tree.packages.version_rpm import compare_rpm_dependency, rpm_key

Rules = Literal["dpkg", "rpm", "apk", "pacman"]
Bound = tuple[str, str]

_HOLDS: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    "=": lambda order: order == 0,
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    ">=": lambda order: order >= 0,
    ">": lambda order: order > 0,
    ">>": lambda order: order > 0,
}
_BOUND = re.compile(r"\s*(<<|<=|<|==|=|!=|>=|>>|>)\s*([^\s,<>=!]+)\s*")


def compare(kind: Rules, a: str, b: str) -> int:
    """-1, 0 or 1 as version `a` is older than, the same as or newer than `b`."""
    if kind == "dpkg":
        return _order(dpkg_key(a), dpkg_key(b))
    if kind == "rpm":
        return _order(rpm_key(a), rpm_key(b))
    if kind == "apk":
        return _order(apk_key(a), apk_key(b))
    if kind == "pacman":
        return compare_alpm(a, b)
    raise ValueError(f"no package format is called {kind!r}")


def satisfies(kind: Rules, version: str, bounds: str) -> bool:
    """Whether `version` keeps every one of the comma-separated `bounds`, such as ">= 1.2, < 3".

    A bound is read as a dependency of the format would be: to rpm and pacman, one without a release leaves the
    release open. Raises UsageError for bounds that cannot be understood.
    """
    compare_bound = compare_rpm_dependency if kind == "rpm" else lambda a, b: compare(kind, a, b)
    return all(_HOLDS[operator](compare_bound(version, limit)) for operator, limit in parse_bounds(bounds))


def parse_bounds(bounds: str) -> tuple[Bound, ...]:
    """The (operator, version) pairs of `bounds`. Raises UsageError naming the part that is none."""
    return tuple(_parse_bound(bound, bounds) for bound in bounds.split(","))


def _parse_bound(bound: str, bounds: str) -> Bound:
    match = _BOUND.fullmatch(bound)
    if match is None:
        raise UsageError(
            f"reading the version bounds {bounds!r}",
            f"{bound.strip()!r} is no bound",
            'Write an operator and a version, several of them with commas: ">= 1.2, < 3".',
        )
    return match[1], match[2]


def _order(a: tuple[object, ...], b: tuple[object, ...]) -> int:
    return (a > b) - (a < b)
