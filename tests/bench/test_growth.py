"""The made trees of bench/check.py have the size that they say, and its drawing shows the figures."""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

from rootfs_kit.tree import Kind, open_rootfs

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def growth() -> ModuleType:
    place = Path(__file__).resolve().parents[2] / "bench/growth.py"
    spec = importlib.util.spec_from_file_location("bench_growth", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("entries", [1000, 5000])
def test_made_tree_has_about_the_entries_that_were_asked_for(growth: ModuleType, tmp_path: Path, entries: int) -> None:
    tree = open_rootfs(growth.make_tree(tmp_path / "made", entries))
    assert abs(len(tree) - entries) <= 45
    kinds = [entry.kind for entry in tree.walk()]
    assert kinds.count(Kind.SYMLINK) > entries / 30 and kinds.count(Kind.FILE) > entries / 2


def test_drawing_holds_a_point_for_each_figure(growth: ModuleType) -> None:
    figures = {"10000": {"seconds": 0.3, "peak_mib": 40.0}, "1000000": {"seconds": 7.5, "peak_mib": 270.0}}
    drawing = ElementTree.fromstring(growth.plot(figures))
    assert len(drawing.findall(f"{SVG}circle")) == 4
    texts = {text.text for text in drawing.findall(f"{SVG}text")}
    assert {"10,000", "1,000,000", "0.3", "7.5", "40", "270"} <= texts
