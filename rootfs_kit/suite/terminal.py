"""What a run with --rootfs adds to pytest's own output: a header, and sections for all that is no failure."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from rootfs_kit.suite.environment import in_github_actions
from rootfs_kit.suite.recorder import Recorder
from rootfs_kit.suite.rendering import result_lines
from rootfs_kit.suite.subject import Subject
from rootfs_kit.suite.verdict import Result, State
from rootfs_kit.tree.paths import shown


class Terminal:
    """The hooks that write; registered where there is a terminal reporter."""

    def __init__(self, subject: Subject, recorder: Recorder) -> None:
        self.subject = subject
        self.recorder = recorder

    def pytest_report_header(self) -> list[str]:
        tree, profile = self.subject.tree, self.subject.profile
        lines = [f"rootfs: {shown(tree.name)} ({tree.source_kind})", f"rootfs profile: {profile}"]
        lines += [f"  {shown(reason)}" for reason in profile.reasons]
        if self.subject.expectation.source:
            lines.append(f"rootfs expectations: {self.subject.expectation.source}")
        return lines

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        verdict = self.recorder.verdict
        write = terminalreporter
        self._section(write, "could not look", verdict.of(State.UNKNOWN), red=True)
        self._section(write, "rootfs warnings", verdict.of(State.WARNED), yellow=True)
        if write.verbosity > 0:
            self._section(write, "rootfs notes", verdict.of(State.NOTED))
            self._section(write, "rootfs waivers", verdict.of(State.WAIVED))
        for remark in verdict.remarks:
            write.write_line(f"rootfs-kit: {shown(remark)}", yellow=True)
        for complaint in self.recorder.complaints:
            write.write_line(f"rootfs-kit: {shown(complaint)}", red=True)
        if self.subject.options.report is not None and self.recorder.ran:
            write.write_line(f"rootfs-kit: report in {self.subject.options.report}")
        if in_github_actions():
            from rootfs_kit.suite.reports.github import workflow_commands

            for line in workflow_commands(verdict):
                write.write_line(line)

    def _section(self, write: pytest.TerminalReporter, title: str, results: Iterable[Result], **markup: bool) -> None:
        results = list(results)
        if not results or write.verbosity < -1:
            return
        write.write_sep("=", title, **markup)
        if in_github_actions():
            write.write_line(f"::group::{title}: {len(results)}")
        for result in results:
            write.write_line(result.title, bold=True)
            for line in result_lines(result, self.subject.options.truncate):
                write.write_line(line)
        if in_github_actions():
            write.write_line("::endgroup::")
