"""The suite's options, as one frozen value that is made at the edge: from pytest's command line, or by a caller."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

from rootfs_kit.errors import UsageError
from rootfs_kit.suite.sizes import EXAMPLE, parse_size
from rootfs_kit.tree.archives.target import parse_target

REPORT_SUFFIXES = (".json", ".sarif")


class SuiteOptions(NamedTuple):
    """What to judge, and how. `rootfs` is as the user wrote it; None means "not asked for".

    `base` is the rootfs that an overlay is judged upon. `arch` chooses from a multi-architecture image; `max_size` is
    how many bytes an archive may be decompressed to.
    """

    rootfs: str
    profile: str | None = None
    expect: Path | None = None
    strict: bool = False
    report: Path | None = None
    allow_host: bool = False
    allow_probe_agent: bool = False
    run_agent: bool = False
    truncate: bool = True
    arch: str | None = None
    max_size: int | None = None
    base: str | None = None

    @property
    def places(self) -> tuple[Path, ...]:
        """The directories or archives that the rootfs, and its base, are; links followed. Not what is not there."""
        named = (name for name in (self.rootfs, self.base) if name is not None)
        places = (parse_target(name).path for name in named)
        return tuple(place.resolve() for place in places if os.path.exists(place))


def options_of(namespace: argparse.Namespace) -> SuiteOptions:
    """The options of a pytest command line. Raises UsageError for a report that could not be written."""
    if not namespace.rootfs:
        raise UsageError("reading --rootfs", "it names nothing", "Write --rootfs=DIR.")
    options = SuiteOptions(
        rootfs=namespace.rootfs,
        profile=namespace.rootfs_profile,
        expect=_path(namespace.rootfs_expect),
        strict=namespace.rootfs_strict,
        report=_path(namespace.rootfs_report),
        allow_host=namespace.rootfs_allow_host,
        allow_probe_agent=namespace.rootfs_allow_probe_agent,
        run_agent=namespace.rootfs_run_agent,
        truncate=not namespace.rootfs_no_truncate,
        arch=namespace.rootfs_arch,
        max_size=_size(namespace.rootfs_max_size),
        base=namespace.rootfs_base,
    )
    if options.report is not None:
        require_a_report(options.report)
    return options


def _path(text: str | None) -> Path | None:
    return Path(text).absolute() if text else None


def _size(text: str | None) -> int | None:
    size = parse_size(text) if text is not None else None
    if text is not None and size is None:
        raise UsageError(f"reading --rootfs-max-size {text}", "it is no size", f"Write {EXAMPLE}.")
    return size


def require_a_report(report: Path) -> None:
    """Raise UsageError where no report could be written to `report`, before the work is done."""
    doing = f"preparing the report {report.name}"
    if report.suffix not in REPORT_SUFFIXES:
        raise UsageError(doing, f"no report ends in {report.suffix or 'nothing'}", "Name a .json or a .sarif file.")
    if not report.parent.is_dir():
        raise UsageError(doing, f"there is no directory {report.parent}", "Make the directory first.")
