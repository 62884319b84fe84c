"""Adds ACME's distribution, the backend that builds it, and ACME's house rules to rootfs-kit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rootfs_kit.hookspecs import hookimpl

if TYPE_CHECKING:
    from rootfs_kit.backends import Backend

HERE = Path(__file__).parent


@hookimpl
def rootfs_kit_distros() -> list[Path]:
    return [HERE / "distros"]


@hookimpl
def rootfs_kit_backends() -> list[Backend]:
    from acme_rootfs.backend import TarBackend

    return [TarBackend()]


@hookimpl
def rootfs_kit_checks() -> list[Path]:
    return [HERE / "checks"]
