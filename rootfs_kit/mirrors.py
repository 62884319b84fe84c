"""Mirrors: which there are for a build, and taking the first that gives everything."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from rootfs_kit.archive import archive_complaint
from rootfs_kit.backends import Plan, Site
from rootfs_kit.distro import Distro
from rootfs_kit.errors import BuildFailed, WouldFailAnywhere
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


def from_the_first(mirrors: Sequence[Mirror], index: str, install: Callable[[Mirror], Plan], monitor: Monitor) -> Plan:
    """What `install` gives with the first mirror that it does not fail with.

    A mirror is first asked for `index`, the file that every one has, so that a dead one costs seconds. What would
    fail with every mirror is not tried again. Raises BuildFailed, with what each mirror said.
    """
    failures: list[tuple[Mirror, BuildFailed]] = []
    for mirror in mirrors:
        try:
            _require_answer(mirror, index, monitor)
            return install(mirror)
        except WouldFailAnywhere:
            raise
        except BuildFailed as error:
            failures.append((mirror, error))
            if len(failures) < len(mirrors):
                monitor.warn(f"{mirror}: {_in_short(error)}; trying the next mirror")
    raise _together(failures)


def _require_answer(mirror: Mirror, index: str, monitor: Monitor) -> None:
    """Raise BuildFailed where the package manager would only wait for the mirror, and fail."""
    if mirror is None or not index:
        return
    complaint = archive_complaint(mirror, index)
    if complaint is None:
        return
    if complaint.hopeless:
        raise BuildFailed(
            f"asking the mirror {mirror}", complaint.text, "Name another mirror: --mirror URL (REPO_URL)."
        )
    monitor.detail(f"{mirror}: {complaint.text}; the package manager may know better")


def _together(failures: Sequence[tuple[Mirror, BuildFailed]]) -> BuildFailed:
    """One error for all; the last words of the last one are in it."""
    _, last = failures[-1]
    if len(failures) == 1:
        return last
    said = "\n".join(f"    {mirror}: {_in_short(error)}" for mirror, error in failures)
    return BuildFailed(
        "installing packages",
        f"none of the {len(failures)} mirrors gave them all:\n{said}\n{last.doing}: {last.found}",
        last.hint,
    )


def _in_short(error: BuildFailed) -> str:
    """The line that says why: of a package manager's last lines the first that tells of an error."""
    lines = [line.strip() for line in error.found.splitlines()]
    return next((line for line in lines if re.match(r"(?:E|Err|ERROR|Error|error)\b ?:", line)), lines[0])
