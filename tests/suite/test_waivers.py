"""A waiver accepts a known fault for a while: with a reason, until a day, and for nothing else."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from rootfs_kit.suite.expectation import Waiver, today
from rootfs_kit.suite.run import JudgeOptions, judge
from rootfs_kit.suite.verdict import Result, State, Verdict

NODEID = "rootfs-kit/test_layout.py::test_mount_point_is_there[/proc]"


def waiver(check: str, until: date | None = None, path: str | None = None) -> str:
    lines = ["[[waivers]]", f'check = "{check}"', 'reason = "the builder is being mended"']
    lines += [f'path = "{path}"'] if path else []
    return "\n".join([*lines, f"until = {until or today() + timedelta(days=30)}", ""])


@pytest.fixture
def without_proc(rootfs_dir: Path) -> Path:
    """A rootfs in which LAY-02 finds two faults: /proc and /sys are missing."""
    (rootfs_dir / "proc").rmdir()
    (rootfs_dir / "sys").rmdir()
    return rootfs_dir


def judged(root: Path, tmp_path: Path, expectation: str) -> Verdict:
    file = tmp_path / "expect.toml"
    file.write_text(expectation)
    return judge(root, JudgeOptions(expect=file))


def lay_02(verdict: Verdict) -> dict[str, Result]:
    return {
        result.nodeid.partition("[")[2].rstrip("]"): result
        for result in verdict.results
        if "test_mount_point_is_there" in result.nodeid
    }


def waiver_results(verdict: Verdict) -> list[State]:
    return [result.state for result in verdict.results if "test_waiver" in result.nodeid]


@pytest.mark.parametrize("named", ["LAY-02", "test_mount_point_is_there", NODEID.partition("[")[0]])
def test_check_is_waived_by_any_of_its_names(without_proc: Path, tmp_path: Path, named: str) -> None:
    verdict = judged(without_proc, tmp_path, waiver(named))
    results = lay_02(verdict)
    assert results["/proc"].state is results["/sys"].state is State.WAIVED
    assert results["/dev"].state is State.PASSED
    assert "the builder is being mended" in str(results["/proc"].findings[0].waiver)
    assert waiver_results(verdict) == [State.PASSED, State.PASSED]
    assert verdict.remarks == ()


@pytest.mark.parametrize("named", ["LAY-02[/proc]", "test_mount_point_is_there[/proc]", NODEID])
def test_one_case_is_waived_and_the_others_are_not(without_proc: Path, tmp_path: Path, named: str) -> None:
    results = lay_02(judged(without_proc, tmp_path, waiver(named)))
    assert (results["/proc"].state, results["/sys"].state) == (State.WAIVED, State.FAILED)


def test_one_path_is_waived_and_the_others_are_not(without_proc: Path, tmp_path: Path) -> None:
    results = lay_02(judged(without_proc, tmp_path, waiver("LAY-02", path="/pr*")))
    assert (results["/proc"].state, results["/sys"].state) == (State.WAIVED, State.FAILED)


def test_waiver_is_good_for_the_whole_of_its_last_day(without_proc: Path, tmp_path: Path) -> None:
    results = lay_02(judged(without_proc, tmp_path, waiver("LAY-02", until=today())))
    assert results["/proc"].state is State.WAIVED


def test_waiver_that_has_ended_fails_by_its_name(without_proc: Path, tmp_path: Path) -> None:
    verdict = judged(without_proc, tmp_path, waiver("LAY-02", until=today() - timedelta(days=1)))
    assert lay_02(verdict)["/proc"].state is State.FAILED
    ended = [result for result in verdict.of(State.FAILED) if result.check == "EXP-07"]
    assert [result.findings[0].finding.path for result in ended] == ["expect.toml:2"]
    assert "the waiver of LAY-02 ended on" in ended[0].findings[0].finding.found


def test_waiver_of_no_check_fails_with_the_nearest(rootfs_dir: Path, tmp_path: Path) -> None:
    verdict = judged(rootfs_dir, tmp_path, waiver("LAY-99"))
    failed = [result for result in verdict.of(State.FAILED) if result.check == "EXP-07"]
    assert [result.findings[0].finding.found for result in failed] == ['a waiver of "LAY-99", which is no check']
    assert "did you mean LAY-0" in failed[0].findings[0].finding.mend


@pytest.mark.parametrize("named", ["EXP-07", "test_waiver_has_not_ended", "EXP-07[LAY-02]"])
def test_waiver_that_has_ended_cannot_be_waived(without_proc: Path, tmp_path: Path, named: str) -> None:
    verdict = judged(without_proc, tmp_path, waiver("LAY-02", until=today() - timedelta(days=1)) + waiver(named))
    assert [result.check for result in verdict.of(State.FAILED) if result.check == "EXP-07"] == ["EXP-07"]
    assert f"expect.toml:6: the waiver of {named} was not needed: remove it" in verdict.remarks


@pytest.mark.parametrize("named", ["EXP-07", "test_waiver_names_a_check", "EXP-07[LAY-99]"])
def test_waiver_of_no_check_cannot_be_waived(rootfs_dir: Path, tmp_path: Path, named: str) -> None:
    verdict = judged(rootfs_dir, tmp_path, waiver("LAY-99") + waiver(named))
    failed = [result for result in verdict.of(State.FAILED) if result.check == "EXP-07"]
    assert [result.findings[0].finding.found for result in failed] == ['a waiver of "LAY-99", which is no check']


def test_waiver_that_was_not_needed_is_remarked(rootfs_dir: Path, tmp_path: Path) -> None:
    verdict = judged(rootfs_dir, tmp_path, waiver("INI-01"))
    assert verdict.remarks == ("expect.toml:2: the waiver of INI-01 was not needed: remove it",)


def test_waiver_of_a_check_for_other_profiles_is_no_mistake(rootfs_dir: Path, tmp_path: Path) -> None:
    verdict = judged(rootfs_dir, tmp_path, waiver("INI-03"))
    assert waiver_results(verdict) == [State.PASSED, State.PASSED]
    assert verdict.remarks == ()


def test_what_could_not_be_looked_at_cannot_be_waived(rootfs_dir: Path, tmp_path: Path) -> None:
    (rootfs_dir / "var/lib/dpkg").mkdir(parents=True)
    (rootfs_dir / "var/lib/dpkg/status").write_bytes(b"\0 no database\n")
    verdict = judged(rootfs_dir, tmp_path, '[packages]\nchrony = "*"\n' + waiver("PKG-01"))
    results = [result for result in verdict.results if result.check == "PKG-01"]
    assert [result.state for result in results] == [State.UNKNOWN]


def test_names_of_a_waiver() -> None:
    one = Waiver("PKG-01[chrony]", "", today())
    assert one.names("rootfs-kit/test_packages.py::test_x[chrony]", "PKG-01")
    assert not one.names("rootfs-kit/test_packages.py::test_x[kmod]", "PKG-01")
    assert not one.names("rootfs-kit/test_packages.py::test_x", None)
