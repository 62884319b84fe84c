"""Workflow commands of GitHub Actions: an annotation for each result that counts.

A guest path or a file's content could hold a workflow command of its own; every value is escaped the way that the
runner unescapes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootfs_kit.suite.rendering import headline, result_lines
from rootfs_kit.suite.verdict import Result, State, Verdict

COMMANDS = {State.FAILED: "error", State.BROKEN: "error", State.UNKNOWN: "error", State.WARNED: "warning"}


def workflow_commands(verdict: Verdict) -> Iterator[str]:
    """One line for each result that the workflow's page should show."""
    for result in verdict.results:
        command = COMMANDS.get(result.state)
        if command is not None:
            yield f"::{command} title={_property(result.title)}::{_data(_text(result))}"
    for complaint in verdict.complaints:
        yield f"::error title=rootfs-kit::{_data(complaint)}"


def _text(result: Result) -> str:
    if result.state is State.BROKEN:
        return headline(result)
    return "\n".join([headline(result), *result_lines(result)])


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
