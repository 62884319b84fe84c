"""Modules of rootfs-kit itself, found by Python's own loader while pytest runs.

pytest explains the asserts of every module that comes with a plugin, and its loader for those takes several times as
long as Python's: 20 ms for a run of the suite. Our modules, the packaged checks among them, say themselves what is
wrong, and have no asserts that need explaining. Modules of other packages, and the checks that they bring, are
pytest's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

OURS = "rootfs_kit."
CHECKS = "rootfs_kit.checks"


class OwnModules:
    """A finder for sys.meta_path (importlib's reference, "finder"), in front of pytest's."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Where one of our modules is; None for every other, and where an installation keeps ours elsewhere."""
        return PathFinder.find_spec(name, path, target) if name.startswith(OURS) and not _is_of_a_plugin(name) else None


def _is_of_a_plugin(name: str) -> bool:
    """Their checks are imported as rootfs_kit.checks.<plugin>.<module>."""
    return "." in name.removeprefix(f"{CHECKS}.") and name.startswith(f"{CHECKS}.")


def load_our_modules_plainly() -> Callable[[], None]:
    """From now on, until what is returned is called; nothing changes where it is so already."""
    if any(isinstance(finder, OwnModules) for finder in sys.meta_path):
        return lambda: None
    finder = OwnModules()
    sys.meta_path.insert(0, finder)
    return lambda: sys.meta_path.remove(finder)
