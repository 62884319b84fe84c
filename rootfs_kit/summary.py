"""What a finished build or overlay has to show: one value, as a table for people and as a document for programs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import Any

from rootfs_kit.axes import Content, InitMode
from rootfs_kit.manifest import Written
from rootfs_kit.request import BuildRequest
from rootfs_kit.suite.survey import total_size
from rootfs_kit.tree import RootfsTree

MIB = 1024 * 1024
BIGGEST = 5
GAP = 2
LEAST_ROOM = 20
TIE = "\N{NO-BREAK SPACE}"
"""Between words that stay on one line; textwrap folds at ASCII's white space only."""


@dataclass(frozen=True)
class Checks:
    """How the conformance suite judged the tree; None of it where the user left it out."""

    passed: int
    warned: int
    failed: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuildResult:
    """`size` is in bytes, `timings` in seconds of wall time; `biggest` names packages with their bytes."""

    rootfs_dir: Path
    distro: str | None
    release: str | None
    architecture: str
    init: InitMode
    content: Content
    entries: int
    size: int
    packages: int
    biggest: tuple[tuple[str, int], ...]
    timings: tuple[tuple[str, float], ...]
    checks: Checks | None

    def with_timings(self, timings: tuple[tuple[str, float], ...]) -> BuildResult:
        return replace(self, timings=timings)


def summarise(tree: RootfsTree, request: BuildRequest, written: Written, checks: Checks | None) -> BuildResult:
    """What there is to say of the finished `tree`; the timings come when the build is over."""
    document = written.document
    distro = document["distro"] or {}
    packages = written.packages.values() if written.packages is not None else ()
    sizes = sorted(((package.name, package.installed_size or 0) for package in packages), key=_by_size)
    return BuildResult(
        rootfs_dir=request.rootfs_dir,
        distro=distro.get("name"),
        release=distro.get("release"),
        architecture=request.arch or os.uname().machine,
        init=request.init_mode,
        content=Content(document["content"]),
        entries=len(tree),
        size=total_size(tree),
        packages=len(packages),
        biggest=tuple(sizes[:BIGGEST]),
        timings=(),
        checks=checks,
    )


def _by_size(package: tuple[str, int]) -> tuple[int, str]:
    return (-package[1], package[0])


def table(result: BuildResult, width: int) -> str:
    """The table that a build ends with, folded at `width` columns; but no path is torn, so that it can be copied."""
    from tabulate import tabulate

    rows = list(_rows(result))
    label = max(len(name) for name, _ in rows)
    room = max(width - label - GAP, LEAST_ROOM)
    folded = [
        (name, "\n".join(wrap(text, room, break_long_words=False, break_on_hyphens=False))) for name, text in rows
    ]
    return tabulate(folded, tablefmt="plain", disable_numparse=True).replace(TIE, " ")


def _rows(result: BuildResult) -> Sequence[tuple[str, str]]:
    name = f"{result.distro} {result.release}" if result.distro else "overlay"
    rows = [
        ("rootfs", str(result.rootfs_dir)),
        ("what", f"{name}, {result.architecture}, init: {result.init}"),
        ("size", f"{result.size / MIB:.1f} MiB in {result.entries:,} entries"),
    ]
    if result.packages:
        biggest = ", ".join(f"{package}{TIE}{size / MIB:.1f}" for package, size in result.biggest)
        rows.append(("packages", f"{result.packages}; the biggest, in MiB: {biggest}"))
    rows.append(("time", ", ".join(f"{title}{TIE}{seconds:.1f}{TIE}s" for title, seconds in result.timings)))
    rows.append(("checks", _verdict(result.checks)))
    return rows


def _verdict(checks: Checks | None) -> str:
    if checks is None:
        return "not run (--no-check): nothing is known of whether this boots"
    return f"{checks.passed} passed, {checks.warned} warned, {checks.failed} failed"


def document(result: BuildResult) -> dict[str, Any]:
    """The same for `--json`."""
    checks = result.checks
    return {
        "rootfs_dir": str(result.rootfs_dir),
        "distro": result.distro,
        "release": result.release,
        "architecture": result.architecture,
        "init": str(result.init),
        "content": str(result.content),
        "entries": result.entries,
        "size_bytes": result.size,
        "packages": result.packages,
        "biggest_packages": [{"name": name, "size_bytes": size} for name, size in result.biggest],
        "seconds": {title: round(seconds, 3) for title, seconds in result.timings},
        "checks": None
        if checks is None
        else {
            "passed": checks.passed,
            "warned": checks.warned,
            "failed": checks.failed,
            "warnings": list(checks.warnings),
        },
    }
