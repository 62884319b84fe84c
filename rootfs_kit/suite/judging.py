"""Turns what a check raised into a result: failed, warned, noted, waived, or "could not look".

A result travels in pytest's report as text, so that it survives the way from a pytest-xdist worker.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.suite.check import CheckInfo, Finding, RuleBroken, Severity, clip, clipped
from rootfs_kit.suite.expectation import Waiver, today
from rootfs_kit.suite.nodes import check_info, is_of_the_suite
from rootfs_kit.suite.patience import patience
from rootfs_kit.suite.rendering import full_text, headline
from rootfs_kit.suite.report_text import ResultText
from rootfs_kit.suite.subject import Subject
from rootfs_kit.suite.verdict import Judged, Result, State, Unknown, result_of

ATTRIBUTE = "rootfs_kit"
LOOKING_FIXTURE = "rootfs"
WAIVER_FIXTURE = "waiver"

STATUS: dict[State, tuple[str, str, str | tuple[str, dict[str, bool]]]] = {
    State.WARNED: ("warned", "W", ("WARNED", {"yellow": True})),
    State.UNKNOWN: ("could not look", "U", ("UNKNOWN", {"red": True})),
    State.FAILED: ("failed", "F", "FAILED"),  # a plain word: older pytest shows the pair as it is in its summary
}


def result_in(report: pytest.TestReport) -> Result | None:
    """The result that a report carries; None for reports of other tests, and of phases that decide nothing."""
    text = getattr(report, ATTRIBUTE, None)
    return result_of(text) if text is not None else None


class Judging:
    """The hooks that judge each test where it runs, and show the result where pytest reports it."""

    def __init__(self, subject: Subject) -> None:
        self.options = subject.options
        self.expectation = subject.expectation

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        raised = call.excinfo
        if raised is not None and _needs_no_traceback(item, raised):
            call.excinfo = _without_traceback(raised)
        report = yield
        call.excinfo = raised
        if _decides(report) and (check_info(item) is not None or _looks(item) or _is_ours(call)):
            result = self._judge(item, report, call)
            setattr(report, ATTRIBUTE, result.as_text())
            _settle(report, result)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        with _limited(item):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        with _limited(item):
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        result = result_in(report)
        if result is not None and report.failed and (result.findings or result.unknown):
            text: Any = ResultText(headline(result), full_text(result, self.options.truncate))
            report.longrepr = text

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str | tuple[str, dict[str, bool]]] | None:
        result = result_in(report)
        return STATUS.get(result.state) if result is not None else None

    def _judge(self, item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None]) -> Result:
        info = check_info(item)
        state, found = self._outcome(item, info, report, call)
        return Result(
            nodeid=item.nodeid,
            check=info.id if info else None,
            source=info.source if info else "",
            severity=info.severity if info else Severity.ERROR,
            state=state,
            looks=_looks(item),
            seconds=report.duration,
            **found,
        )

    def _outcome(
        self, item: pytest.Item, info: CheckInfo | None, report: pytest.TestReport, call: pytest.CallInfo[None]
    ) -> tuple[State, dict[str, Any]]:
        error = call.excinfo.value if call.excinfo is not None else None
        if hasattr(report, "wasxfail"):
            return State.WAIVED, {"reason": report.wasxfail}
        if isinstance(error, CouldNotLook):
            return State.UNKNOWN, {"unknown": Unknown(*map(clip, (error.doing, error.found, error.hint)))}
        if isinstance(error, RuleBroken):
            return self._weigh(item, info, error.findings)
        if report.failed:
            fault = isinstance(error, (AssertionError, pytest.fail.Exception))
            return State.FAILED if fault else State.BROKEN, {"reason": report.longreprtext}
        if report.skipped:
            return State.SKIPPED, {"reason": _skip_reason(report)}
        return State.PASSED, {}

    def _weigh(
        self, item: pytest.Item, info: CheckInfo | None, findings: Iterable[Finding]
    ) -> tuple[State, dict[str, Any]]:
        waivers = list(self._waivers_of(item, info))
        judged = [self._weigh_one(finding, info, waivers) for finding in findings]
        used = {place for finding in judged for place, waiver in waivers if finding.waiver == _why(waiver)}
        return self._worst(judged), {"findings": tuple(judged), "waivers": tuple(sorted(used))}

    def _waivers_of(self, item: pytest.Item, info: CheckInfo | None) -> Iterable[tuple[int, Waiver]]:
        """What is wrong with a waiver cannot be waived: one that has ended would be renewed by another without end."""
        if WAIVER_FIXTURE in getattr(item, "fixturenames", ()):
            return ()
        return self.expectation.waivers_of(item.nodeid, info.id if info else None, today())

    def _weigh_one(self, finding: Finding, info: CheckInfo | None, waivers: list[tuple[int, Waiver]]) -> Judged:
        severity = finding.severity or (info.severity if info else Severity.ERROR)
        reasons = [_why(waiver) for _, waiver in waivers if waiver.covers(finding.path)]
        return Judged(clipped(finding), severity, reasons[0] if reasons else None)

    def _worst(self, findings: list[Judged]) -> State:
        counting = {judged.severity for judged in findings if judged.waiver is None}
        if Severity.ERROR in counting or (self.options.strict and Severity.WARN in counting):
            return State.FAILED
        if Severity.WARN in counting:
            return State.WARNED
        return State.NOTED if counting else State.WAIVED


def _limited(item: pytest.Item) -> AbstractContextManager[None]:
    """The user's own tests may take their time."""
    return patience(f"running {item.name}") if is_of_the_suite(item) else nullcontext()


def _needs_no_traceback(item: pytest.Item, raised: pytest.ExceptionInfo[BaseException]) -> bool:
    """Whether a finding was raised; an xfail mark still wants to see the exception itself."""
    return isinstance(raised.value, (CouldNotLook, RuleBroken)) and item.get_closest_marker("xfail") is None


def _without_traceback(raised: pytest.ExceptionInfo[BaseException]) -> pytest.ExceptionInfo[BaseException]:
    """pytest takes some 10 ms to render a traceback, which nobody would see, and one to cut it down to the test's."""
    failure = pytest.fail.Exception("", pytrace=False)
    innermost = raised.tb
    while innermost.tb_next is not None:
        innermost = innermost.tb_next
    return pytest.ExceptionInfo.from_exc_info((type(failure), failure, innermost))


def _why(waiver: Waiver) -> str:
    return f"until {waiver.until}: {waiver.reason}"


def _decides(report: pytest.TestReport) -> bool:
    """A test ends with its call, or with a setup or teardown that went wrong."""
    return report.when == "call" or not report.passed


def _looks(item: pytest.Item) -> bool:
    return LOOKING_FIXTURE in getattr(item, "fixturenames", ())


def _is_ours(call: pytest.CallInfo[None]) -> bool:
    return call.excinfo is not None and isinstance(call.excinfo.value, (CouldNotLook, RuleBroken))


def _skip_reason(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


def _settle(report: pytest.TestReport, result: Result) -> None:
    """Give the report the outcome that pytest's own counting, JUnit and exit status go by."""
    if not result.findings and result.unknown is None:
        return
    text = "\n".join(full_text(result))
    if result.state in (State.WARNED, State.NOTED):
        report.outcome, report.longrepr = _not_failed(report, text)
    elif result.state is State.WAIVED:
        report.outcome, report.longrepr = "skipped", text
        report.wasxfail = "; ".join(sorted({judged.waiver for judged in result.findings if judged.waiver}))
    else:
        report.outcome, report.longrepr = "failed", text


def _not_failed(report: pytest.TestReport, text: str) -> tuple[Any, Any]:
    """What a fixture raised must not count as a passed setup: pytest would go on to call the test without it."""
    return ("passed", None) if report.when == "call" else ("skipped", (*report.location[:2], text))
