"""The suite's word on a tree that is being built: it passes, or it is not published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rootfs_kit.axes import Content, InitMode
from rootfs_kit.errors import NotConforming
from rootfs_kit.request import BuildRequest
from rootfs_kit.summary import Checks
from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.paths import shown

if TYPE_CHECKING:
    from rootfs_kit.suite.verdict import Result, Verdict

MOST_SHOWN = 10
Fault = tuple[str, str]
"""A test that fails, and the guest path that it fails for."""


def judge_tree(
    tree: Path, request: BuildRequest, content: Content, faults_before: frozenset[Fault] = frozenset()
) -> Checks:
    """Hold `tree` to the profile that was asked for. Raises NotConforming with what is wrong.

    `faults_before` were there before rootfs-kit laid anything into the tree: they are told, and stand in nobody's way.
    """
    from rootfs_kit.suite.verdict import State

    verdict = _verdict(tree, request, content)
    faulty = verdict.of(State.FAILED, State.BROKEN, State.UNKNOWN)
    wrong = [result for result in faulty if not _faults_of(result) or not _faults_of(result) <= faults_before]
    if wrong or verdict.complaints:
        lines = [f"    {result.title}: {line}" for result in wrong for line in _said(result)]
        lines += [f"    {complaint}" for complaint in verdict.complaints]
        raise NotConforming(
            "checking the rootfs before it is published",
            f"{len(wrong)} checks do not pass:\n" + "\n".join(lines[:MOST_SHOWN]),
            "Nothing was published. --keep-failed keeps the tree, and `rootfs-kit check` on it says everything.",
        )
    told = [*verdict.of(State.WARNED), *faulty]
    return Checks(
        verdict.count(State.PASSED) + verdict.count(State.NOTED),
        len(told),
        0,
        tuple(f"{result.title}: {line}" for result in told for line in _said(result)),
    )


def faults_of(tree: Path, request: BuildRequest) -> frozenset[Fault]:
    """What is wrong with a rootfs that somebody else made, before anything is laid into it. Raises UsageError."""
    from rootfs_kit.suite.verdict import State

    verdict = _verdict(tree, request, Content.FULL)
    faulty = verdict.of(State.FAILED, State.UNKNOWN)
    return frozenset(fault for result in faulty for fault in _faults_of(result))


def _verdict(tree: Path, request: BuildRequest, content: Content) -> Verdict:
    from rootfs_kit.suite.run import JudgeOptions, judge

    options = JudgeOptions(profile=_profile(request, content), allow_probe_agent=request.allow_probe_agent)
    return judge(tree, options)


def _faults_of(result: Result) -> frozenset[Fault]:
    return frozenset((result.nodeid, judged.finding.path) for judged in result.findings)


def content_of(tree: Path) -> Content:
    """Whether it is a bootable rootfs, or Kata's files alone. Raises UsageError for an empty directory."""
    from rootfs_kit.suite.detect import decide_profile
    from rootfs_kit.suite.profile import ProfileRequest

    return decide_profile(ProfileRequest(), open_rootfs(tree)).content


def _said(result: Result) -> list[str]:
    findings = [f"{judged.finding.path}: {judged.finding.found}" for judged in result.findings]
    unknown = [f"{result.unknown.doing}: {result.unknown.found}"] if result.unknown else []
    return [shown(line) for line in (*findings, *unknown)] or [shown(result.reason)]


def _profile(request: BuildRequest, content: Content) -> str:
    words = ["agent-init" if request.init_mode is InitMode.AGENT else "systemd"]
    words += ["overlay"] if content is Content.OVERLAY else []
    words += [feature for feature in request.features if feature in ("confidential", "modules", "policy")]
    return ",".join(words)
