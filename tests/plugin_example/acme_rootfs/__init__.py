"""Adds the house rules of ACME to every verdict of rootfs-kit."""

from __future__ import annotations

from pathlib import Path

from rootfs_kit.hookspecs import hookimpl


@hookimpl
def rootfs_kit_checks() -> list[Path]:
    return [Path(__file__).parent / "checks"]
