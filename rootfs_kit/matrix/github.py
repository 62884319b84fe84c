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
from typing import Any

from rootfs_kit.matrix.cells import CellBuild


def github_matrix(builds: Sequence[CellBuild]) -> dict[str, Any]:
    """One entry for each build: its name, what it is, and the command line, with paths from the working directory."""
    return {
        "include": [
            {
                "name": build.name,
                "distro": build.planned.distro.name,
                "release": build.planned.request.os_version,
                "arch": build.planned.request.arch,
                "init": str(build.planned.request.init_mode),
                "run": build.command_line(os.path.relpath(build.config), os.path.relpath(build.rootfs_dir)),
            }
            for build in builds
        ]
    }
