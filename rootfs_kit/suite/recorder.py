"""Collects the results of a run and has the last word on its exit status: a run that judged nothing is never green.

It listens where pytest reports: once, in the process that the user started, whatever runs the tests.
"""

from __future__ import annotations

import time

import pytest

from rootfs_kit.errors import UsageError
from rootfs_kit.suite.expectation import Waiver, today
from rootfs_kit.suite.judging import result_in
from rootfs_kit.suite.subject import Subject
from rootfs_kit.suite.verdict import JUDGED, Result, State, Verdict

RECORDER: pytest.StashKey[Recorder] = pytest.StashKey()


class Recorder:
    """What happened so far; `verdict` is complete once the session has finished."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.results: list[Result] = []
        self.complaints: list[str] = []
        self.not_collected: list[str] = []
        self.remarks: list[str] = []
        self.begun = time.monotonic()
        self.seconds = 0.0
        self.deselected = 0
        self.others = 0
        self.ran = False

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.not_collected.append(f"{report.nodeid} could not be collected: {_last_line(report.longreprtext)}")

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.deselected += len(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        self.ran = not session.config.option.collectonly

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        result = result_in(report)
        if result is not None:
            self.results.append(result)
        elif report.when == "call":
            self.others += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.seconds = time.monotonic() - self.begun
        if not self.ran:
            return
        self._notice_unused_waivers()
        self._refuse_an_empty_verdict(session)
        if self.subject.options.report is not None:
            self._write_report(session)

    @property
    def verdict(self) -> Verdict:
        tree = self.subject.tree
        return Verdict(
            tree.name,
            tree.source_kind,
            self.subject.profile,
            tuple(self.results),
            (*self.not_collected, *self.complaints),
            tuple(self.remarks),
            self.seconds,
        )

    def _refuse_an_empty_verdict(self, session: pytest.Session) -> None:
        if self.not_collected or any(result.looks and result.state in JUDGED for result in self.results):
            return
        self.complaints.append(f"nothing was judged: {self._why_nothing()}")
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def _why_nothing(self) -> str:
        looking = [result for result in self.results if result.looks]
        if looking:
            waived = sum(result.state is State.WAIVED for result in looking)
            return f"of {len(looking)} tests of the rootfs, {waived} were waived and {len(looking) - waived} skipped"
        if self.results or self.others:
            return "none of the tests looks at the rootfs"
        if self.deselected:
            return f"all {self.deselected} tests were deselected"
        return f"no test applies to the profile {self.subject.profile}, or none was found"

    def _notice_unused_waivers(self) -> None:
        used = {place for result in self.results for place in result.waivers}
        for place, waiver in enumerate(self.subject.expectation.waivers):
            if place not in used and waiver.in_force(today()) and self._had_its_chance(waiver):
                where = f"{self.subject.expectation.source}:{waiver.line}"
                self.remarks.append(f"{where}: the waiver of {waiver.title} was not needed: remove it")

    def _had_its_chance(self, waiver: Waiver) -> bool:
        return any(waiver.names(result.nodeid, result.check) for result in self.results)

    def _write_report(self, session: pytest.Session) -> None:
        from rootfs_kit.suite.reports import write_report

        assert self.subject.options.report is not None
        try:
            write_report(self.verdict, self.subject.options.report)
        except UsageError as error:
            self.complaints.append(str(error))
            session.exitstatus = pytest.ExitCode.USAGE_ERROR


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2].removeprefix("E ").strip()
