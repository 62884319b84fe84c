"""The known-bad twins: a good tree, one defect, and the one check that must go red, with no other."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rootfs_kit.suite.catalogue import catalogue
from rootfs_kit.suite.verdict import State
from tests.checks.twins import TWINS
from tests.checks.twins.twin import GOOD, NEED_ROOT, Twin
from tests.support import trees
from tests.support.requirements import needs_program
from tests.support.verdicts import caught, judged

pytestmark = needs_program("cc", "depmod")

# Checks whose twins need more than one defect in a small tree: the tests beside this one break them.
SEEN_ELSEWHERE = {
    "LAY-01::test_every_part_of_the_rootfs_can_be_read",
    "AGT-05::test_agent_runs",
    "AGT-05::test_agent_is_of_the_expected_version",
}

GoodTree = Callable[[str], Path]


@pytest.fixture(scope="module")
def good_tree(tmp_path_factory: pytest.TempPathFactory) -> GoodTree:
    """A good tree of each kind, made when it is first asked for. Not to be changed."""
    where = tmp_path_factory.mktemp("good")

    def make(kind: str) -> Path:
        if kind in NEED_ROOT and os.geteuid() != 0:
            pytest.skip("needs root, to make device nodes")
        return where / kind if (where / kind).exists() else GOOD[kind](where / kind)

    return make


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_tree_passes_without_a_word(good_tree: GoodTree, kind: str) -> None:
    verdict = judged(good_tree(kind), features=("initrd",) if kind.endswith("initrd") else ())
    assert caught(verdict) == {}
    assert verdict.exit_code == 0
    assert verdict.count(State.PASSED) > 5


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: f"{twin.finds.partition('::')[0]} {twin.story}")
def test_defect_is_caught_by_its_check_and_no_other(good_tree: GoodTree, tmp_path: Path, twin: Twin) -> None:
    broken = trees.copy(good_tree(twin.kind), tmp_path / "broken")
    twin.defect(broken)
    expectation = tmp_path / "expect.toml"
    expectation.write_text(twin.expect)
    expect = expectation if twin.expect else None
    verdict = judged(broken, profile=twin.profile, features=twin.features, expect=expect)
    assert set(caught(verdict)) - {twin.along_with} == {twin.finds}


def test_every_check_has_a_twin() -> None:
    declared = {f"{entry.info.id}::{entry.name}" for entry in catalogue() if entry.info.severity != "info"}
    assert declared - {twin.finds for twin in TWINS} - SEEN_ELSEWHERE == set()
