"""How a conformance check is written: one decorator that says what the check is, and findings that say what is wrong.

A check is an ordinary pytest test. It reads the tree through the `rootfs` fixture, and it reports through
`require` and `report`; it never opens a file itself. What pytest does with a finding (fail, warn, waive, write
it into a report) is the plugin's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import pytest

from rootfs_kit.axes import Content, InitMode

Check = TypeVar("Check", bound=Callable[..., Any])

MARKER = "rootfs_check"


class Severity(StrEnum):
    """How much a finding weighs: an error fails the gate, a warning is shown, information is only recorded."""

    ERROR = "error"
    WARN = "warn"
    INFO = "info"


EVERY_CONTENT = frozenset(Content)
EVERY_INIT = frozenset(InitMode)

ERROR = Severity.ERROR
WARN = Severity.WARN
INFO = Severity.INFO
FULL = frozenset({Content.FULL})
OVERLAY = frozenset({Content.OVERLAY})
SYSTEMD = frozenset({InitMode.SYSTEMD})
AGENT_INIT = frozenset({InitMode.AGENT})


class CheckInfo(NamedTuple):
    """What a check says about itself.

    It applies to a tree whose content kind is in `content`, whose init mode is in `init` and which has all of
    `features`. `source` names the document, or the file and line of Kata, that the rule comes from. A check that
    `expects` something is about that attribute of the expectations, and only collected where it is set.
    """

    id: str
    severity: Severity
    content: frozenset[Content]
    init: frozenset[InitMode]
    features: frozenset[str]
    source: str
    expects: str = ""


def check(
    id: str,
    *,
    severity: Severity,
    source: str,
    content: Iterable[Content] = EVERY_CONTENT,
    init: Iterable[InitMode] = EVERY_INIT,
    features: Iterable[str] = (),
    expects: str = "",
) -> Callable[[Check], Check]:
    """Declare a test function to be the conformance check `id` of the catalogue in docs/checks.md.

    The keywords of the marker are for `pytest -m 'rootfs_check(id="INI-01")'`.
    """
    info = CheckInfo(id, severity, frozenset(content), frozenset(init), frozenset(features), source, expects)
    return pytest.mark.rootfs_check(info, id=id, severity=str(severity))


class Finding(NamedTuple):
    """One thing that is wrong, written for the person who broke it.

    `path` is the guest path at fault, `found` what is there, `expected` what the guest needs, `at_boot` what would
    have happened when it boots, and `mend` the change that puts it right. `severity`, where given, overrides the
    check's own (a real machine-id is an error, a missing one a warning, of the same check).
    """

    path: str
    found: str
    expected: str
    at_boot: str
    mend: str
    severity: Severity | None = None


LONGEST_TEXT = 2000
"""Characters of each text of a finding: one line of a hostile file can have millions."""


def clip(text: str) -> str:
    """The beginning of `text`, and how much there is more."""
    left = len(text) - LONGEST_TEXT
    return f"{text[:LONGEST_TEXT]}… ({left} characters more)" if left > 0 else text


def clipped(finding: Finding) -> Finding:
    """The finding with texts that a person can read. What calls itself a path in a hostile file may be long as well."""
    texts = (finding.path, finding.found, finding.expected, finding.at_boot, finding.mend)
    if max(map(len, texts)) <= LONGEST_TEXT:
        return finding
    path, found, expected, at_boot, mend = map(clip, texts)
    return Finding(path, found, expected, at_boot, mend, finding.severity)


MOST_NAMED = 5
MOST_FINDINGS = 1000
"""Of one check: what lies beyond is counted. Nobody reads more, and a tree can be made to hold a million."""


class RuleBroken(AssertionError):
    """A check found something; carries the findings for whoever reports them."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{finding.path}: {finding.found}" for finding in self.findings[:MOST_NAMED]))


def report(findings: Iterable[Finding]) -> None:
    """Fail the running check with `findings`; no findings, no failure.

    After MOST_FINDINGS the rest become one more finding, about "/", which says how many they are. Raises RuleBroken.
    """
    remaining = iter(findings)
    collected = list(islice(remaining, MOST_FINDINGS))
    collected += _counted(remaining)
    if collected:
        raise RuleBroken(collected)


def _counted(remaining: Iterable[Finding]) -> list[Finding]:
    """One finding for all that `remaining` holds, as grave as the gravest of them."""
    count, last, severities = 0, None, set[Severity | None]()
    for last in remaining:
        count += 1
        severities.add(last.severity)
    if last is None:
        return []
    severity = severities.pop() if len(severities) == 1 else Severity.ERROR
    return [last._replace(path="/", found=f"{count} more of the same kind", severity=severity)]


def require(
    holds: bool,
    path: str,
    *,
    found: str,
    expected: str,
    at_boot: str,
    mend: str,
    severity: Severity | None = None,
) -> None:
    """Fail the running check with one finding unless `holds`.

    Raises RuleBroken.
    """
    if not holds:
        report([Finding(path, found, expected, at_boot, mend, severity)])
