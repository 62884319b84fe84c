"""Imports the modules that hold checks, by names that no directory of the user's can shadow."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def import_checks(path: Path, package: str) -> ModuleType:
    """The module at `path` under the name `package`.<stem>, whatever sys.path holds.

    pytest explains the asserts of those that plugins bring (`own_modules.py` says why not of ours).
    """
    name = f"{package}.{path.stem}"
    module = sys.modules.get(name)
    if module is not None and module.__file__ == str(path):
        return module
    module = importlib.util.module_from_spec(_spec(name, path))
    sys.modules[name] = module
    try:
        assert module.__spec__ is not None and module.__spec__.loader is not None
        module.__spec__.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _spec(name: str, path: Path) -> importlib.machinery.ModuleSpec:
    for finder in sys.meta_path:
        spec = finder.find_spec(name, [str(path.parent)])
        if spec is not None and spec.origin == str(path):
            return spec
    raise ModuleNotFoundError(f"no check module at {path}", name=name, path=str(path))
