"""Mirrors: which there are for a build, and taking the first that gives everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rootfs_kit.backends import Plan, Site
from rootfs_kit.distro import Distro
from rootfs_kit.errors import BuildFailed
from rootfs_kit.monitor import Monitor
from rootfs_kit.request import BuildRequest

Mirror = str | None
"""An address; None where the package manager knows its own."""


def mirrors_of(request: BuildRequest, distro: Distro) -> tuple[Mirror, ...]:
    """The mirrors to try, in order: the one that was asked for and no other, or the distribution's."""
    if request.mirror is not None:
        return (request.mirror,)
    return tuple(distro.filled_in(mirror, request) for mirror in distro.mirrors_for(request.arch)) or (None,)


def site_to_show(request: BuildRequest, distro: Distro) -> Site:
    """A site to plan for when nothing will be run: the place that the result takes stands for the staging directory."""
    return Site(request.rootfs_dir, Path(f"{request.rootfs_dir}.files"), mirrors_of(request, distro)[0])


def from_the_first(mirrors: Sequence[Mirror], install: Callable[[Mirror], Plan], monitor: Monitor) -> Plan:
    """What `install` gives with the first mirror that it does not fail with. Raises BuildFailed for the last one."""
    *others, last = mirrors
    for mirror in others:
        try:
            return install(mirror)
        except BuildFailed as error:
            monitor.warn(f"{mirror}: {error.found}")
    return install(last)
