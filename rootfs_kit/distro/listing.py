"""`rootfs-kit list`: the distributions that can be built.

A description that cannot be read does not hide the others: it is told after them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from os import PathLike
from typing import TYPE_CHECKING, Any

from rootfs_kit.distro import BUILT_IN, Distro, Release
from rootfs_kit.distro.file import load_distro
from rootfs_kit.distro.places import locate
from rootfs_kit.errors import UsageError

if TYPE_CHECKING:
    from rootfs_kit.request.script_variables import ScriptVariables

Paths = Sequence[str | PathLike[str]]


def names(paths: Paths = ()) -> list[str]:
    """The names, sorted; nothing is read but directories. Raises UsageError for a wrong one of `paths`."""
    return [location.name for location in locate(paths)]


def survey(paths: Paths = (), script_variables: ScriptVariables = ()) -> tuple[list[Distro], list[UsageError]]:
    """Every distribution, sorted by name, and what is wrong with those that cannot be read."""
    distros: list[Distro] = []
    errors: list[UsageError] = []
    for location in locate(paths):
        try:
            distros.append(load_distro(location, script_variables))
        except UsageError as error:
            errors.append(error)
    return distros, errors


def raise_together(errors: Sequence[UsageError]) -> None:
    """Raise what is wrong with all the descriptions that could not be read, if there are any, as one UsageError."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        found = "\n".join(f"{error.doing}: {error.found}" for error in errors)
        raise UsageError(f"reading distributions, {len(errors)} of which cannot be read", found, errors[0].hint)


def document(distros: Sequence[Distro]) -> list[dict[str, Any]]:
    """What is known of each distribution, for programs."""
    return [
        {
            "name": distro.name,
            "title": distro.title,
            "backend": distro.backend,
            "default_release": distro.default_version,
            "releases": [
                {
                    "name": release.name,
                    "version": release.version,
                    "aliases": list(release.aliases),
                    "end_of_life": release.end_of_life.isoformat() if release.end_of_life else None,
                    "architectures": list(distro.machines(release)),
                }
                for release in distro.releases
            ],
            "init_modes": [str(mode) for mode in distro.init_modes],
            "architectures": dict(distro.architectures),
            "found_by": distro.found_by,
            "directory": str(distro.directory),
        }
        for distro in distros
    ]


def table(distros: Sequence[Distro], today: date, width: int) -> str:
    """One row for each distribution, at most `width` columns wide where that can be done."""
    from tabulate import tabulate

    headers = ("name", "release", "updates", "init", "machines", "from")
    rows = [
        (
            distro.name,
            "\n".join(_marked(release, distro) for release in distro.releases) or "as asked for",
            "\n".join(_updates(release, today) for release in distro.releases),
            "\n".join(distro.init_modes),
            " ".join(distro.architectures),
            distro.found_by if distro.found_by == BUILT_IN else str(distro.directory),
        )
        for distro in distros
    ]
    widths = [max(map(_widest, cells)) for cells in zip(*rows, strict=True)] or [0] * len(headers)
    # tabulate sets headers off by two columns. The last two of the table can be folded: they share what is left.
    widths = [max(each, len(header) + 2) for each, header in zip(widths, headers, strict=True)]
    room = width - sum(widths[:4]) - 2 * (len(widths) - 1)
    machines = max(room // 2, len("machines") + 2)
    widths[4:] = [machines, max(room - machines, len(BUILT_IN))]
    text = tabulate(rows, headers, tablefmt="simple", maxcolwidths=widths)
    return f"{text}\n\n* built unless --os-version says otherwise"


def _marked(release: Release, distro: Distro) -> str:
    return f"{release.title} *" if release.name == distro.default_version else release.title


def _updates(release: Release, today: date) -> str:
    if release.end_of_life is None:
        return "-"
    return f"{'ended' if release.has_ended(today) else 'until'} {release.end_of_life}"


def _widest(cell: str) -> int:
    return max(map(len, cell.split("\n")))
