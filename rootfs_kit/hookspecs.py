"""The hooks through which an installed package adds to rootfs-kit.

A package names its module in the entry point group `rootfs_kit` and marks its functions with `hookimpl`:

    from rootfs_kit.hookspecs import hookimpl

    @hookimpl
    def rootfs_kit_distros():
        return [Path(__file__).parent / "distros"]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from rootfs_kit.backends import Backend
    from rootfs_kit.request import BuildRequest
    from rootfs_kit.tree import RootfsEditor

    GuestStep = Callable[[RootfsEditor, BuildRequest], None]

PROJECT = "rootfs_kit"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def rootfs_kit_distros() -> list[Path]:  # type: ignore[empty-body]
    """Directories that hold distributions: one directory each, with a `distro.toml`."""


@hookspec
def rootfs_kit_backends() -> list[Backend]:  # type: ignore[empty-body]
    """Backends for package managers that rootfs-kit does not know; a distro.toml asks for one by its `name`."""


@hookspec
def rootfs_kit_guest_steps() -> Sequence[GuestStep]:  # type: ignore[empty-body]
    """Functions that change the tree after rootfs-kit's own steps and before clean-up: called with editor and request.

    They write through the editor alone, and raise an error of `rootfs_kit.errors` where they cannot go on.
    """


@hookspec
def rootfs_kit_checks() -> list[Path]:  # type: ignore[empty-body]
    """Directories with `test_*.py` files of conformance checks, run after the packaged ones."""
