"""One tree with everything in it, and all the forms that real tools pack it in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tree_archive.workshop import everything, with_xattrs


@pytest.fixture(scope="session")
def packed_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with every kind of entry, names and attributes; read only."""
    root = tmp_path_factory.mktemp("packed") / "root"
    root.mkdir()
    return with_xattrs(everything(root))
