"""Builds that are allowed to fail: BUILD_CAN_FAIL of a config.sh, together with GRACEFUL_EXIT (rootfs.sh:365-374).

Kata's CI builds some distributions without being stopped by them. A file beside the rootfs says which of them failed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rootfs_kit.distro import Distro
from rootfs_kit.errors import BuildFailed, NotConforming
from rootfs_kit.monitor import Monitor
from rootfs_kit.request import BuildRequest

Result = TypeVar("Result")


def unless_it_may_fail(
    build: Callable[[BuildRequest, Distro, Monitor], Result], request: BuildRequest, distro: Distro, monitor: Monitor
) -> Result | Path:
    """What `build` gives; where it fails and is allowed to, the file `<distro>_fail` that says so.

    A wrong request and a host that lacks something are never allowed. Raises what `build` raises.
    """
    marker = request.rootfs_dir.parent / f"{distro.name}_fail"
    try:
        return build(request, distro, monitor)
    except (BuildFailed, NotConforming) as error:
        if not request.graceful_exit or distro.script is None or not distro.script.may_fail:
            raise
        monitor.warn(*str(error).split("\n"))
        monitor.warn(f"{distro.title} is allowed to fail (BUILD_CAN_FAIL): {marker} says so")
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        return marker
