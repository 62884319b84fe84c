"""The builds of a matrix as Jobs for a Kubernetes cluster, one for each, on a node of the guest's architecture.

The description's directory, with the agent and whatever else it names, is on a persistent volume; the results go there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rootfs_kit.engines.container.engine import CAPABILITIES
from rootfs_kit.errors import UsageError
from rootfs_kit.matrix.cells import CellBuild, Spelling, in_turn

PLACE = PurePosixPath("/work")
# What kubernetes.io/arch calls the machines (GOARCH).
NODE_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
LABELS = {"app.kubernetes.io/name": "rootfs-kit", "app.kubernetes.io/component": "build"}
LONGEST_NAME = 63  # of a label, and so of a Job's pods (RFC 1123)


@dataclass(frozen=True)
class Cluster:
    """`image` has rootfs-kit in it and the package managers; `claim` is the volume with the description.

    The `engines` are named in turn; `distros_dirs`, absolute here, are on the volume, beside the description.
    """

    image: str
    claim: str
    engines: tuple[str, ...] = ()
    distros_dirs: tuple[Path, ...] = ()


def kubernetes_jobs(builds: Sequence[CellBuild], cluster: Cluster) -> str:
    """A list of Jobs (batch/v1), as YAML for `kubectl apply -f -`.

    Raises UsageError for a directory of distributions that is not beside the description.
    """
    import yaml

    items = [_job(build, cluster, number) for number, build in enumerate(builds)]
    text: str = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}, sort_keys=False)
    return text


def _job(build: CellBuild, cluster: Cluster, number: int) -> dict[str, Any]:
    template = {"metadata": {"labels": dict(LABELS)}, "spec": _pod(build, cluster, number)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job_name(build.name, number), "labels": dict(LABELS)},
        "spec": {"backoffLimit": 0, "template": template},
    }


def _pod(build: CellBuild, cluster: Cluster, number: int) -> dict[str, Any]:
    machine = str(build.planned.request.arch)
    spelt = Spelling(
        str(PLACE / build.config.name),
        str(PLACE / "matrix" / build.name),
        PLACE,
        tuple(_on_the_volume(each, build.config) for each in cluster.distros_dirs),
        in_turn(cluster.engines, number),
    )
    return {
        "restartPolicy": "Never",
        "nodeSelector": {"kubernetes.io/arch": NODE_ARCHITECTURES.get(machine, machine)},
        "containers": [
            {
                "name": "build",
                "image": cluster.image,
                "workingDir": str(PLACE),
                "command": ["rootfs-kit"],
                "args": list(build.arguments(spelt)),
                "securityContext": {
                    "runAsUser": 0,
                    "capabilities": {"drop": ["ALL"], "add": list(CAPABILITIES)},
                    "appArmorProfile": {"type": "Unconfined"},
                },
                "volumeMounts": [{"name": "work", "mountPath": str(PLACE)}],
            }
        ],
        "volumes": [{"name": "work", "persistentVolumeClaim": {"claimName": cluster.claim}}],
    }


def _on_the_volume(directory: Path, config: Path) -> str:
    """Where a Job finds what lies beside the description here."""
    try:
        return str(PLACE / directory.resolve().relative_to(config.parent.resolve()))
    except ValueError:
        raise UsageError(
            "writing Jobs for Kubernetes",
            f"{directory} is not beside {config.name}, and the Jobs see nothing else of this host",
            f"Put the distributions into {config.parent}, which the volume of the claim holds.",
        ) from None


def job_name(name: str, number: int) -> str:
    """A name that Kubernetes takes, and that no other build of the matrix has."""
    plain = re.sub("[^a-z0-9-]+", "-", name.lower()).strip("-")
    prefix = f"rootfs-{number}-"
    return f"{prefix}{plain}"[:LONGEST_NAME].rstrip("-")
