"""The builds of a matrix for GitHub Actions: a value for `strategy.matrix`.

strategy:
  fail-fast: false
  matrix: ${{ fromJSON(needs.plan.outputs.matrix) }}
steps:
  - run: ${{ matrix.run }}
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from rootfs_kit.matrix.cells import CellBuild, Spelling, in_turn


def github_matrix(
    builds: Sequence[CellBuild], engines: tuple[str, ...] = (), distros_dirs: tuple[str, ...] = ()
) -> dict[str, Any]:
    """One entry for each build: its name, what it is, and the command line, with paths from the working directory.

    The `engines` are named in turn; `distros_dirs` stay as they were typed.
    """
    return {
        "include": [
            {
                "name": build.name,
                "distro": build.planned.distro.name,
                "release": build.planned.request.os_version,
                "arch": build.planned.request.arch,
                "init": str(build.planned.request.init_mode),
                "run": build.command_line(
                    Spelling(
                        os.path.relpath(build.config),
                        os.path.relpath(build.rootfs_dir),
                        PurePath(os.path.relpath(build.config.parent.resolve())),
                        distros_dirs,
                        in_turn(engines, number),
                    )
                ),
            }
            for number, build in enumerate(builds)
        ]
    }
