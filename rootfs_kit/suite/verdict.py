"""What the suite found out, as data: one result for each test, and the verdict over all of them.

Results cross process borders (pytest-xdist) inside pytest's reports, so they turn into text and back.
Nothing here renders or writes; see `rendering.py` and `reports/`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from rootfs_kit.errors import ExitCode
from rootfs_kit.suite.check import Finding, Severity
from rootfs_kit.suite.profile import Profile


class State(StrEnum):
    """How one test ended."""

    PASSED = "passed"
    NOTED = "noted"  # information only
    WARNED = "warned"
    FAILED = "failed"
    UNKNOWN = "could not look"
    BROKEN = "broken"  # the check itself, not the rootfs
    WAIVED = "waived"
    SKIPPED = "skipped"


# A test in one of these looked at the rootfs and said something of it.
JUDGED = frozenset({State.PASSED, State.NOTED, State.WARNED, State.FAILED, State.UNKNOWN, State.BROKEN})


class Judged(NamedTuple):
    """A finding with the weight that it has in this run; `waiver` says why it does not count, where it does not."""

    finding: Finding
    severity: Severity
    waiver: str | None = None


class Unknown(NamedTuple):
    """What the suite was doing when it could not look, what stood in the way, and what to do."""

    doing: str
    found: str
    hint: str


class Result(NamedTuple):
    """One test's end. `looks` says whether the test looks at the rootfs at all; `reason` is why it was skipped, or
    how it broke; `waivers` are the places of the waivers that it used; `seconds` is wall time.
    """

    nodeid: str
    check: str | None
    source: str
    severity: Severity
    state: State
    looks: bool
    findings: tuple[Judged, ...] = ()
    unknown: Unknown | None = None
    reason: str = ""
    waivers: tuple[int, ...] = ()
    seconds: float = 0.0

    @property
    def title(self) -> str:
        """The check's id and the test's name."""
        name = self.nodeid.rpartition("::")[2]
        return f"{self.check} {name}" if self.check else name

    def as_text(self) -> str:
        """One ASCII text; guest paths may hold bytes that no other form carries across a process border."""
        findings = [{**judged._asdict(), "finding": judged.finding._asdict()} for judged in self.findings]
        unknown = self.unknown._asdict() if self.unknown else None
        return json.dumps({**self._asdict(), "findings": findings, "unknown": unknown})


@lru_cache(maxsize=2)  # pytest asks several times about one report
def result_of(text: str) -> Result:
    """The result that `as_text` wrote down."""
    data = json.loads(text)
    unknown = data["unknown"]
    return Result(
        **{
            **data,
            "severity": Severity(data["severity"]),
            "state": State(data["state"]),
            "findings": tuple(_judged(judged) for judged in data["findings"]),
            "unknown": Unknown(**unknown) if unknown else None,
            "waivers": tuple(data["waivers"]),
        }
    )


def _judged(data: Mapping[str, Any]) -> Judged:
    finding = dict(data["finding"])
    finding["severity"] = Severity(finding["severity"]) if finding["severity"] else None
    return Judged(Finding(**finding), Severity(data["severity"]), data["waiver"])


@dataclass(frozen=True)
class Verdict:
    """What the suite says of one rootfs.

    `complaints` are reasons for which the run as a whole does not count (nothing was judged, a check could not be
    imported); `remarks` are about the run, not the rootfs (an unused waiver); `seconds` is wall time.
    """

    rootfs: str
    kind: str
    profile: Profile
    results: tuple[Result, ...]
    complaints: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    seconds: float = 0.0

    def count(self, state: State) -> int:
        return sum(result.state is state for result in self.results)

    def of(self, *states: State) -> list[Result]:
        """The results in one of `states`, in the order in which the tests ran."""
        return [result for result in self.results if result.state in states]

    @property
    def conforms(self) -> bool:
        """Whether everything was looked at, and nothing that counts is wrong."""
        return self.exit_code is ExitCode.DONE

    @property
    def exit_code(self) -> ExitCode:
        """What `rootfs-kit check` ends with: a fault outweighs what could not be judged."""
        if self.of(State.FAILED, State.BROKEN):
            return ExitCode.NOT_CONFORMING
        if self.of(State.UNKNOWN) or self.complaints:
            return ExitCode.USAGE
        return ExitCode.DONE
