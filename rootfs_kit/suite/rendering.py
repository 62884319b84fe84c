"""Findings as text for people: path, found, expected, what would happen at boot, how to mend it.

Everything that comes from a rootfs may hold terminal escapes and newlines; nothing gets out of here with them.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rootfs_kit.spelling import spelt
from rootfs_kit.suite.check import Finding
from rootfs_kit.suite.verdict import Judged, Result, Unknown
from rootfs_kit.tree.paths import shown

MOST_SHOWN = 5
ALL = spelt("no-truncate")
LABEL = re.compile(r" +(?:found|expected|at boot|mend|waived|rule) +")
PLACE = "\0"  # in no guest path: a path may not hold it


def headline(result: Result) -> str:
    """One line for a summary: the check, the first path and what was found there."""
    if result.unknown is not None:
        return _titled(result, f"could not look: {shown(result.unknown.doing)}: {shown(result.unknown.found)}")
    counting = [judged for judged in result.findings if judged.waiver is None] or list(result.findings)
    if not counting:
        return _titled(result, shown(result.reason))
    first = counting[0].finding
    more = f" (and {len(counting) - 1} more)" if len(counting) > 1 else ""
    return _titled(result, f"{shown(first.path)}: {shown(first.found)}{more}")


def _titled(result: Result, text: str) -> str:
    return f"{result.check}: {text}" if result.check else text


def full_text(result: Result, truncate: bool = True) -> list[str]:
    """The whole text about one result, with the check's id and weight above it."""
    title = [f"{result.check} ({result.severity})"] if result.check else []
    return [*title, *result_lines(result, truncate)]


def result_lines(result: Result, truncate: bool = True) -> list[str]:
    """The whole text about one result, without its title."""
    if result.unknown is not None:
        return _unknown_lines(result.unknown)
    if not result.findings:
        # The runner of GitHub Actions takes a line that begins with two colons for a command.
        return [f"  | {shown(line)}" for line in result.reason.splitlines()]
    lines = list(finding_lines(result.findings, truncate))
    return [*lines, f"  rule      {result.source}"] if result.source else lines


def fitted(line: str, width: int) -> list[str]:
    """A line of a result in pieces for a terminal of `width` columns; text goes on under where it began.

    Broken between words alone: a path that is longer stays whole, to be copied.
    """
    label = LABEL.match(line)
    begin = label.end() if label else len(line) - len(line.lstrip())
    indent = begin if label else begin + 2
    pieces = textwrap.wrap(line[begin:], max(1, width - indent), break_long_words=False, break_on_hyphens=False)
    return [line[:begin] + pieces[0], *(" " * indent + piece for piece in pieces[1:])] if pieces else [line]


def _unknown_lines(unknown: Unknown) -> list[str]:
    return [
        f"  could not look: {shown(unknown.doing)}",
        f"    found     {shown(unknown.found)}",
        f"    mend      {shown(unknown.hint)}",
    ]


def finding_lines(findings: Sequence[Judged], truncate: bool = True) -> Iterator[str]:
    """Findings that say the same of several paths are told once, with the first of the paths."""
    groups = list(_groups(findings).values())
    for group in groups[: MOST_SHOWN if truncate else None]:
        yield from _group_lines(group, truncate)
    left = sum(len(group) for group in groups[MOST_SHOWN:])
    if truncate and left:
        yield f"  … and {left} more; all: {ALL}"


def _groups(findings: Iterable[Judged]) -> dict[tuple[object, ...], list[Judged]]:
    groups: dict[tuple[object, ...], list[Judged]] = {}
    for judged in findings:
        groups.setdefault(_sameness(judged), []).append(judged)
    return groups


def _sameness(judged: Judged) -> tuple[object, ...]:
    """Equal for findings that differ by nothing but their path, and what exactly was found there."""
    finding = judged.finding
    texts = (finding.expected, finding.at_boot, finding.mend)
    return (judged.severity, judged.waiver, *(text.replace(finding.path, PLACE) for text in texts))


def _group_lines(group: Sequence[Judged], truncate: bool) -> Iterator[str]:
    first = group[0]
    if len(group) == 1:
        yield f"  {shown(first.finding.path)}"
        yield f"    found     {shown(first.finding.found)}"
    else:
        yield f"  {len(group)} paths:"
        few = group[: MOST_SHOWN if truncate else None]
        yield from (f"    {shown(one.finding.path)}: {shown(one.finding.found)}" for one in few)
        if len(few) < len(group):
            yield f"    … and {len(group) - len(few)} more; all: {ALL}"
    yield from _common_lines(first, several=len(group) > 1)


def _common_lines(judged: Judged, several: bool) -> Iterator[str]:
    finding = judged.finding
    for label, text in (("expected", finding.expected), ("at boot", finding.at_boot), ("mend", finding.mend)):
        if text:
            yield f"    {label:<9} {shown(_for_all(text, finding) if several else text)}"
    if judged.waiver is not None:
        yield f"    waived    {shown(judged.waiver)}"


def _for_all(text: str, finding: Finding) -> str:
    """A text about the first of several paths, made to speak of each."""
    return text.replace(finding.path, "PATH") if finding.path != "/" else text
