"""What went into the rootfs, written into it: /var/lib/osbuilder/manifest.json, and osbuilder.yaml for Kata's tools.

The manifest holds the whole list of packages, so that it can be told what is in a guest whose package manager's
database was dropped. The same build gives the same bytes: everything is sorted, and the time is SOURCE_DATE_EPOCH's
where that is set.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rootfs_kit import __version__, osbuilder_yaml
from rootfs_kit.axes import Content
from rootfs_kit.backends import Plan
from rootfs_kit.distro import Distro
from rootfs_kit.guest.agent import Agent
from rootfs_kit.guest.places import write_anew
from rootfs_kit.guest.removal import NAMES
from rootfs_kit.request import BuildRequest
from rootfs_kit.tree import Entry, RootfsEditor, RootfsTree, open_rootfs
from rootfs_kit.tree.packages import PackageSet

PATH = "/var/lib/osbuilder/manifest.json"
FORMAT = 1
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Written:
    """The manifest as it stands in the rootfs, and the packages with the sizes that it does not hold.

    `packages` is None for an overlay, which has none of its own.
    """

    document: dict[str, Any]
    packages: PackageSet | None


def write(
    editor: RootfsEditor,
    request: BuildRequest,
    agent: Agent | None,
    distro: Distro | None,
    plan: Plan | None,
    owed: Sequence[Entry] = (),
) -> Written:
    """Write both documents. The package manager's database still has to be there.

    `owed` are the device nodes that could not be made: the manifest lists them with the others. Raises CouldNotLook,
    BuildFailed.
    """
    created = creation_time(request)
    tree = open_rootfs(editor.root, owed)
    packages = tree.packages if distro is not None else None
    document = {
        "format": FORMAT,
        "generator": f"rootfs-kit {__version__}",
        "created": datetime.fromtimestamp(created // NANOSECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "source_date_epoch": request.source_date_epoch,
        "content": str(Content.FULL if distro is not None else Content.OVERLAY),
        "init": str(request.init_mode),
        "features": list(request.features),
        "distro": _distro(distro, request) if distro is not None else None,
        "agent": _agent(editor, agent) if agent is not None else None,
        "modules": [request.kernel_modules.name] if request.kernel_modules is not None and agent is not None else [],
        "devices": _devices(tree),
        "deleted_units": sorted(NAMES) if request.delete_units else [],
        "packages": _packages(request, distro, plan, packages) if distro is not None and packages is not None else None,
    }
    write_anew(editor, PATH, json.dumps(document, indent=2, sort_keys=True) + "\n")
    write_anew(editor, osbuilder_yaml.PATH, osbuilder_yaml.text(request, distro, created))
    return Written(document, packages)


def creation_time(request: BuildRequest) -> int:
    """Nanoseconds since 1970."""
    if request.source_date_epoch is not None:
        return request.source_date_epoch * NANOSECONDS
    return time.time_ns()


def _devices(tree: RootfsTree) -> list[dict[str, Any]]:
    """What belongs into /dev, whether this user could make it or not."""
    return [
        {"path": entry.path, "type": entry.kind, "mode": f"{entry.mode:04o}", "device": list(entry.device)}
        for entry in tree.walk("/dev")
        if entry.device is not None
    ]


def _distro(distro: Distro, request: BuildRequest) -> dict[str, Any]:
    release = distro.release(request.os_version)
    return {
        "name": distro.name,
        "release": release.name,
        "version": release.version,
        "architecture": request.arch,
    }


def _agent(editor: RootfsEditor, agent: Agent) -> dict[str, Any]:
    content = editor.read_bytes(agent.path)
    return {
        "name": agent.name,
        "path": agent.path,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "probe": agent.is_probe,
    }


def _packages(request: BuildRequest, distro: Distro, plan: Plan | None, installed: PackageSet) -> dict[str, Any]:
    reasons = distro.package_reasons(request)
    asked = plan.packages if plan is not None else tuple(reasons)
    every = [package for name in installed for package in installed.every(name)]
    return {
        "method": installed.method,
        "requested": sorted(name for name in asked if reasons.get(name) != "extra"),
        "extra": sorted(request.extra_packages),
        "installed": [
            {key: getattr(package, key) for key in ("name", "version", "architecture", "source")}
            for package in sorted(every, key=lambda one: (one.name, one.architecture, one.version))
        ],
    }
