"""Judging a tree as the command line does, and what was found in it."""

from __future__ import annotations

from pathlib import Path

from rootfs_kit.suite.run import JudgeOptions, judge
from rootfs_kit.suite.verdict import Result, State, Verdict

FOUND = (State.WARNED, State.FAILED, State.UNKNOWN, State.BROKEN)


def judged(rootfs: Path, profile: str = "auto", features: tuple[str, ...] = (), **options: object) -> Verdict:
    """The verdict on `rootfs`, held to `profile` and `features`."""
    return judge(rootfs, JudgeOptions(profile=",".join((profile, *features)), **options))


def name_of(result: Result) -> str:
    """The check and its test, without the item that it was about."""
    return f"{result.check}::{result.nodeid.rpartition('::')[2].partition('[')[0]}"


def caught(verdict: Verdict) -> dict[str, list[str]]:
    """What each check found, by check and test; information is left out."""
    found: dict[str, list[str]] = {}
    for result in verdict.of(*FOUND):
        lines = [f"{judged.finding.path}: {judged.finding.found}" for judged in result.findings]
        unknown = [f"{result.unknown.doing}: {result.unknown.found}"] if result.unknown else []
        found.setdefault(name_of(result), []).extend([*lines, *unknown] or [result.reason])
    return found
