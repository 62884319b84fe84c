"""What the edge of the program reads from its process, made up for a test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from rootfs_kit.planning import Planned, PlannedBuild, Said, plan_build, plan_overlay
from rootfs_kit.request.knobs import KNOBS
from rootfs_kit.request.script_variables import NAMES
from rootfs_kit.request.surroundings import Surroundings

PROJECT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 1, 15)


def clean_environment() -> dict[str, str]:
    """This process's, for a child that runs the checkout, without what would steer a build."""
    steering = {name for knob in KNOBS for name in (knob.environment, knob.switched_by) if name} | set(NAMES)
    kept = {name: value for name, value in os.environ.items() if name not in steering}
    return {**kept, "PYTHONPATH": str(PROJECT), "COLUMNS": "100"}


def around(cwd: Path, environ: Mapping[str, str] | None = None, *, machine: str = "x86_64") -> Surroundings:
    return Surroundings(environ or {}, cwd, machine, TODAY)


def planned_build(
    cwd: Path,
    environ: Mapping[str, str] | None = None,
    *,
    distro: str | None = "debian",
    config: str | None = None,
    distros_dirs: tuple[str, ...] = (),
    **options: object,
) -> PlannedBuild:
    """What `rootfs-kit build` in `cwd` would do, with options by field."""
    return plan_build(Said(distro, options, config, distros_dirs), around(cwd, environ))


def planned_overlay(
    cwd: Path, environ: Mapping[str, str] | None = None, *, config: str | None = None, **options: object
) -> Planned:
    """What `rootfs-kit overlay` in `cwd` would do, with options by field."""
    return plan_overlay(Said(None, options, config), around(cwd, environ))
