"""Checks that only note something: they never fail a gate, and they do say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfs_kit.suite.verdict import State, Verdict
from tests.checks.twins.twin import MANIFEST, SYSTEM
from tests.support import trees
from tests.support.defects import appended, both, linked, removed, written
from tests.support.requirements import needs_program
from tests.support.verdicts import caught, judged, name_of

pytestmark = needs_program("cc", "depmod")

RELEASE = "PKG-04::test_release_is_still_maintained"
SIZES = "SIZ-01::test_nothing_unread_takes_room"
UNITS = "UNT-08::test_deleted_units_are_gone"

NOTES = [
    ("LAY-05::test_other_links_lead_somewhere", linked("usr/share/gone", "nowhere"), "nowhere"),
    ("TIM-04::test_agent_init_guest_has_a_time_service", removed("usr/sbin/chronyd"), "no chronyd"),
    (RELEASE, appended("usr/lib/os-release", "SUPPORT_END=2020-01-31\n"), "2020-01-31"),
    (
        UNITS,
        both(
            written(MANIFEST, '{"deleted_units": ["systemd-udevd.service"]}'),
            written(f"{SYSTEM}/systemd-udevd.service", "[Unit]\n"),
        ),
        "to be deleted",
    ),
    (UNITS, written(f"{SYSTEM}/systemd-tmpfiles-clean.timer", "[Unit]\n"), "to be deleted"),
    (SIZES, written("usr/share/man/man1/ls.1", "x" * (2 << 20)), "2.0 MiB"),
]  # fmt: skip


def noted(verdict: Verdict) -> dict[str, str]:
    """What each check noted, by check and test."""
    return {
        name_of(result): " ".join(judged.finding.found for judged in result.findings)
        for result in verdict.of(State.NOTED)
    }


@pytest.mark.parametrize(("check", "defect", "text"), NOTES, ids=[f"{check} {text}" for check, _, text in NOTES])
def test_it_is_noted_and_nothing_else_is_said(tmp_path: Path, check: str, defect, text: str) -> None:
    make = trees.agent_init_guest if check.startswith("TIM") else trees.systemd_guest
    tree = make(tmp_path / "tree")
    assert check not in noted(judged(tree))
    defect(tree)
    verdict = judged(tree, strict=True)
    assert text in noted(verdict)[check]
    assert caught(verdict) == {}
    assert verdict.exit_code == 0


@pytest.mark.parametrize(
    ("make", "setting"), [(trees.systemd_guest, "AGENT_INIT=no"), (trees.agent_init_guest, "AGENT_INIT=yes")]
)
def test_the_image_builder_s_settings_are_noted(tmp_path: Path, make, setting: str) -> None:
    results = judged(make(tmp_path / "tree")).of(State.NOTED)
    told = [judged.finding.expected for result in results if result.check == "GAT-01" for judged in result.findings]
    assert [setting in text for text in told] == [True]


def test_a_release_of_alpine_is_known_by_its_number_of_the_day(tmp_path: Path) -> None:
    tree = trees.agent_init_guest(tmp_path / "tree")
    written("usr/lib/os-release", "ID=alpine\nVERSION_ID=3.20.3\n")(tree)
    assert "2026-04-01" in noted(judged(tree))[RELEASE]
