"""Every test of a step gets its tree twice: with /bin a link to usr/bin, and with /bin a directory of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootfs_kit.tree import RootfsEditor
from tests.guest.made import MERGED, SPLIT, Listener, fresh_tree


@pytest.fixture(autouse=True)
def _what_these_tests_need() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: the files of a rootfs belong to root")
    if shutil.which("cc") is None:
        pytest.skip("needs cc on PATH, for the programs of the made trees")


@pytest.fixture
def monitor() -> Listener:
    return Listener()


@pytest.fixture(params=[MERGED, SPLIT])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return fresh_tree(tmp_path / "tree", request.param)


@pytest.fixture
def editor(root: Path) -> Iterator[RootfsEditor]:
    with RootfsEditor(root) as editor:
        yield editor


@pytest.fixture
def merged(tmp_path: Path) -> Iterator[RootfsEditor]:
    """For what does not hang on the layout."""
    with RootfsEditor(fresh_tree(tmp_path / "merged", MERGED)) as editor:
        yield editor


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[RootfsEditor]:
    """A new directory, for an overlay."""
    (tmp_path / "empty").mkdir()
    with RootfsEditor(tmp_path / "empty") as editor:
        yield editor
