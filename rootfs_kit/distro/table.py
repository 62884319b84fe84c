"""The table of the distributions that rootfs-kit brings, made from their descriptions.

`python -m rootfs_kit.distro.table FILE` writes docs/distros.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rootfs_kit.distro import BUILT_IN, Distro, Release
from rootfs_kit.distro.file import load_distro
from rootfs_kit.distro.places import locate

INTRODUCTION = """\
# The distributions

Generated from `distros/` by `python -m rootfs_kit.distro.table docs/distros.md`; a test fails when this file is stale.
`rootfs-kit list` shows those that can be built here and now, your own among them
([adding-a-distro.md](adding-a-distro.md)); `rootfs-kit show NAME` shows what a build of one uses.

The release in **bold** is built unless `--os-version` names another; in brackets is the day on which its security
updates stop, where that day is known. An init mode is what /sbin/init is: `systemd`, or the `agent` itself. The last
column says how each is built in the project's own tests.
"""
HEADERS = ("Distribution", "Releases", "Init", "Architectures", "Package manager", "Built in the tests by")


def built_in() -> list[Distro]:
    """The distributions that come with rootfs-kit, sorted by name."""
    return [load_distro(location) for location in locate() if location.found_by == BUILT_IN]


def markdown(distros: Sequence[Distro]) -> str:
    """docs/distros.md."""
    rows = [HEADERS, tuple("-" * len(header) for header in HEADERS), *map(_row, distros)]
    return f"{INTRODUCTION}\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(distro: Distro) -> tuple[str, ...]:
    names = [f"`{distro.name}`", *(f"`{alias}`" for alias in distro.aliases)]
    return (
        f"{distro.title}: {', '.join(names)}",
        "<br>".join(_release(release, distro) for release in distro.releases),
        "<br>".join(distro.init_modes),
        " ".join(distro.architectures),
        distro.backend,
        distro.tested,
    )


def _release(release: Release, distro: Distro) -> str:
    title = f"**{release.title}**" if release.name == distro.default_version else release.title
    ends = f" [{release.end_of_life}]" if release.end_of_life else ""
    without = f", not for {' '.join(release.without_architectures)}" if release.without_architectures else ""
    return f"{title}{ends}{without}"


def main(arguments: Sequence[str]) -> int:
    """Write the table to the file that the one argument names."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m rootfs_kit.distro.table FILE\n")
        return 2
    Path(arguments[0]).write_text(markdown(built_in()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
