"""Which backends there are: rootfs-kit's own, and those that installed plugins bring."""

from __future__ import annotations

from functools import cache

from rootfs_kit.backends import Backend
from rootfs_kit.backends.apk import Apk
from rootfs_kit.backends.dnf import DNF, TDNF
from rootfs_kit.backends.mmdebstrap import Mmdebstrap
from rootfs_kit.backends.shell import Shell
from rootfs_kit.backends.zypper import Zypper
from rootfs_kit.errors import UsageError
from rootfs_kit.plugins import plugin_manager


def find_backend(name: str) -> Backend:
    """The backend of that name: rootfs-kit's own, or one that an installed plugin brings.

    Raises UsageError with the names that there are.
    """
    known = _backends()
    if name not in known:
        raise UsageError(
            f'looking for the backend "{name}"',
            "there is none of that name",
            f"There are: {', '.join(backend_names())}.",
        )
    return known[name]


def backend_names() -> list[str]:
    """The names that a distro.toml may give as its `backend`, sorted."""
    return sorted(_backends())


@cache
def _backends() -> dict[str, Backend]:
    plugged = [backend for listed in plugin_manager().hook.rootfs_kit_backends() for backend in listed]
    ours = (Apk(), Mmdebstrap(), DNF, TDNF, Zypper(), Shell())
    return {backend.name: backend for backend in (*ours, *plugged)}
