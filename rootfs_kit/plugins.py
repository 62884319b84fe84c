"""Finds the installed packages that add to rootfs-kit, and loads them the first time somebody asks.

The pytest plugin never imports this module: it is loaded in every pytest run of its environment.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

import pluggy

from rootfs_kit import hookspecs
from rootfs_kit.errors import UsageError


@cache
def plugin_manager() -> pluggy.PluginManager:
    """The hooks of every installed plugin.

    Raises UsageError when one cannot be loaded: a distribution or check that silently goes missing is worse.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for entry in sorted(entry_points(group=hookspecs.PROJECT), key=lambda entry: entry.name):
        try:
            manager.register(entry.load(), name=entry.name)
        except Exception as error:
            raise _cannot_load(entry.name, entry.value, error) from error
    return manager


def _cannot_load(name: str, module: str, error: Exception) -> UsageError:
    return UsageError(
        f'loading the plugin "{name}" ({module})',
        f"{type(error).__name__}: {error}",
        "Mend, upgrade or uninstall the package that brings it.",
    )
