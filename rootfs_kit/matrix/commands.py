"""What the command `matrix` does; the command line only hands over what was typed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rootfs_kit.errors import UsageError
from rootfs_kit.matrix import outcome
from rootfs_kit.matrix.cells import CellBuild, plan_matrix
from rootfs_kit.monitor import Monitor
from rootfs_kit.request import AUTO_ENGINE
from rootfs_kit.request.surroundings import Surroundings

__all__ = ["built", "handed_on", "outcome", "planned"]


def planned(config: Path, distros_dirs: tuple[str, ...], around: Surroundings) -> list[CellBuild]:
    """The builds of the description. Raises UsageError."""
    return plan_matrix(config, distros_dirs, around)


def handed_on(
    builds: Sequence[CellBuild], to: str, image: str | None, claim: str | None, engines: tuple[str, ...] = (),
    distros_dirs: tuple[str, ...] = (),
) -> str:  # fmt: skip
    """The builds as something else runs them: "github" or "kubernetes". Raises UsageError."""
    if to == "github":
        from rootfs_kit.matrix.github import github_matrix

        return json.dumps(github_matrix(builds, engines, distros_dirs))
    from rootfs_kit.matrix.kubernetes import Cluster, kubernetes_jobs

    if image is None or claim is None:
        raise UsageError(
            "writing Jobs for Kubernetes",
            f"{'--image' if image is None else '--claim'} is not given",
            "Name the image that has rootfs-kit, and the persistent volume claim that holds the description.",
        )
    directories = tuple(Path(each).absolute() for each in distros_dirs)
    return kubernetes_jobs(builds, Cluster(image, claim, engines, directories)).rstrip()


def built(
    builds: Sequence[CellBuild], jobs: int | None, engines: tuple[str, ...], distros_dirs: tuple[str, ...],
    monitor: Monitor,
) -> list[outcome.Outcome]:  # fmt: skip
    """What came of the builds, run here. Raises BuildFailed, Interrupted."""
    from rootfs_kit.matrix.run import How, require_writable, run_matrix

    chosen = engines or (AUTO_ENGINE,)
    require_writable(builds)
    return run_matrix(builds, How(jobs or len(chosen), chosen, distros_dirs), monitor)
