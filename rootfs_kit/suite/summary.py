"""A verdict for people, as `rootfs-kit check` shows it: what is wrong, what to be wary of, and the count."""

from __future__ import annotations

from collections.abc import Iterator

import click

from rootfs_kit.errors import ExitCode
from rootfs_kit.suite.rendering import fitted, result_lines
from rootfs_kit.suite.verdict import Result, State, Verdict
from rootfs_kit.tree.paths import shown

COLOURS = {
    State.FAILED: "red",
    State.BROKEN: "red",
    State.UNKNOWN: "red",
    State.WARNED: "yellow",
    State.NOTED: "cyan",
    State.WAIVED: "cyan",
}
ALWAYS = (State.FAILED, State.BROKEN, State.UNKNOWN, State.WARNED)
ON_REQUEST = (State.WAIVED, State.NOTED)
SENTENCES = {
    ExitCode.DONE: "It conforms.",
    ExitCode.NOT_CONFORMING: "It does not conform.",
    ExitCode.USAGE: "It could not be judged.",
}


def summary(
    verdict: Verdict, *, truncate: bool = True, verbose: bool = False, width: int | None = None
) -> Iterator[str]:
    """The lines of the summary, with ANSI colours; click.echo takes them out where nobody would see them.

    What is said of a result is broken for `width` columns where that is given, for people at a terminal.
    """
    yield f"rootfs   {shown(verdict.rootfs)} ({verdict.kind})"
    yield f"profile  {verdict.profile}"
    if verbose:
        yield from (f"         {shown(reason)}" for reason in verdict.profile.reasons)
    for state in (*ALWAYS, *(ON_REQUEST if verbose else ())):
        for result in verdict.of(state):
            yield ""
            yield _title(result)
            for line in result_lines(result, truncate):
                yield from fitted(line, width) if width else [line]
    if verbose:
        yield from _skipped_lines(verdict)
    yield ""
    yield from (shown(remark) for remark in verdict.remarks)
    yield from (click.style(shown(complaint), fg="red") for complaint in verdict.complaints)
    yield from fitted(count_line(verdict), width) if width else [count_line(verdict)]
    yield click.style(SENTENCES[verdict.exit_code], fg="green" if verdict.conforms else "red", bold=True)


def count_line(verdict: Verdict) -> str:
    """`61 checks in 0.3 s: 58 passed, 2 warned, 1 failed`."""
    counts = [f"{verdict.count(state)} {state}" for state in State if verdict.count(state)]
    return f"{len(verdict.results)} checks in {verdict.seconds:.1f} s: {', '.join(counts) or 'none'}"


def _title(result: Result) -> str:
    return f"{click.style(result.state.upper(), fg=COLOURS[result.state], bold=True)}  {result.title}"


def _skipped_lines(verdict: Verdict) -> Iterator[str]:
    skipped = verdict.of(State.SKIPPED)
    if skipped:
        yield ""
    for result in skipped:
        yield f"SKIPPED  {result.title}: {shown(result.reason)}"
