"""Every mutation is caught by the check that it names, and the good trees pass without a word."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from rootfs_kit.suite.catalogue import catalogue
from tests.mutations.bench import Outcome, measure
from tests.mutations.good_trees import GOOD_TREES, GoodTree
from tests.mutations.trust import is_caught, render
from tests.support.requirements import needs_overlayfs, needs_program, needs_root

TRUST = Path(__file__).resolve().parents[2] / "docs" / "trust.md"
ENOUGH = 120
# Not to be broken in a tree: what only expectations ask for, what needs the agent to be started, and what a user who
# may not read the tree sees. Their twins are in tests/checks and tests/suite.
NOT_IN_A_TREE = {"LAY-01", "AGT-05", "SIZ-01", *(f"EXP-0{number}" for number in range(1, 8))}

MEASURED = [
    pytest.mark.slow, pytest.mark.network, needs_root(), needs_overlayfs(), needs_program("cc", "cpio", "depmod", "zstd"),
]  # fmt: skip


@cache
def outcome_of(name: str) -> Outcome:
    """Measured once for all tests."""
    return measure(next(tree for tree in GOOD_TREES if tree.name == name))


def _cases() -> list[object]:
    return [
        pytest.param(tree, number, id=f"{tree.name}: {mutation.check} {mutation.story}", marks=MEASURED)
        for tree in GOOD_TREES
        for number, mutation in enumerate(tree.mutations)
    ]


@pytest.mark.parametrize("tree", [pytest.param(tree, id=tree.name, marks=MEASURED) for tree in GOOD_TREES])
def test_good_tree_raises_no_alarm(tree: GoodTree) -> None:
    assert outcome_of(tree.name).false_alarms == []


@pytest.mark.parametrize(("tree", "number"), _cases())
def test_mutation_is_caught_by_its_check(tree: GoodTree, number: int) -> None:
    found = outcome_of(tree.name).found[number]
    assert is_caught(tree.mutations[number], found), f"found instead: {found}"


@pytest.mark.slow
@pytest.mark.network
@needs_root()
@needs_overlayfs()
@needs_program("cc", "cpio", "depmod", "zstd")
def test_the_document_says_what_came_out() -> None:
    outcomes = {tree.name: outcome_of(tree.name) for tree in GOOD_TREES}
    assert TRUST.read_text() == render(outcomes), "run: python -m tests.mutations docs/trust.md"


def test_there_are_enough_of_them() -> None:
    assert sum(len(tree.mutations) for tree in GOOD_TREES) >= ENOUGH
    assert len(GOOD_TREES) >= 5


def test_no_two_mutations_of_a_tree_have_one_name() -> None:
    for tree in GOOD_TREES:
        stories = [mutation.story for mutation in tree.mutations]
        assert sorted(set(stories)) == sorted(stories)


def test_every_check_has_a_mutation() -> None:
    weighty = {entry.info.id for entry in catalogue() if entry.info.severity != "info"}
    broken = {mutation.check for tree in GOOD_TREES for mutation in tree.mutations}
    assert weighty - broken - NOT_IN_A_TREE == set()
    assert broken <= weighty
