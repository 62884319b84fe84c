"""What a distribution is: its releases, packages, architectures and habits, read from `distros/<name>/`.

How its package manager is driven is a backend's business (`rootfs_kit/backends/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from rootfs_kit.axes import InitMode


@dataclass(frozen=True)
class Release:
    """One release of a distribution. `name` is what its archive calls it, `version` its number."""

    name: str
    version: str
    end_of_life: date | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class PackageRules:
    """Which packages a guest needs: always, per init mode, and per feature (seccomp, selinux, confidential, modules)."""

    base: tuple[str, ...]
    init: Mapping[InitMode, tuple[str, ...]] = field(default_factory=dict)
    features: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Distro:
    """One distribution as its `distro.toml` tells it.

    `architectures` maps the kernel's name of a machine (`uname -m`) to the distribution's own; `trim` lists guest
    paths (glob patterns) that a guest never reads; `databases` the package manager's own state, dropped once the
    package list is in the manifest; `mirrors` are tried in turn, empty where the backend knows its own default.
    """

    name: str
    title: str
    directory: Path
    backend: str
    default_version: str
    releases: tuple[Release, ...]
    init_modes: tuple[InitMode, ...]
    architectures: Mapping[str, str]
    packages: PackageRules
    mirrors: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    keyrings: tuple[Path, ...] = ()
    trim: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
