"""The suite's word on a tree that is being built: it passes, or it is not published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rootfs_kit.axes import Content, InitMode
from rootfs_kit.errors import NotConforming
from rootfs_kit.request import BuildRequest
from rootfs_kit.summary import Checks
from rootfs_kit.tree.paths import shown

if TYPE_CHECKING:
    from rootfs_kit.suite.verdict import Result

MOST_SHOWN = 10


def judge_tree(tree: Path, request: BuildRequest, content: Content) -> Checks:
    """Hold `tree` to the profile that was asked for. Raises NotConforming with what is wrong."""
    from rootfs_kit.suite.run import JudgeOptions, judge
    from rootfs_kit.suite.verdict import State

    options = JudgeOptions(profile=_profile(request, content), allow_probe_agent=request.allow_probe_agent)
    verdict = judge(tree, options)
    if not verdict.conforms:
        wrong = verdict.of(State.FAILED, State.BROKEN, State.UNKNOWN)
        lines = [f"    {result.title}: {line}" for result in wrong for line in _said(result)]
        lines += [f"    {complaint}" for complaint in verdict.complaints]
        raise NotConforming(
            "checking the rootfs before it is published",
            f"{len(wrong)} checks do not pass:\n" + "\n".join(lines[:MOST_SHOWN]),
            "Nothing was published. --keep-failed keeps the tree, and `rootfs-kit check` on it says everything.",
        )
    warned = verdict.of(State.WARNED)
    return Checks(
        verdict.count(State.PASSED) + verdict.count(State.NOTED),
        len(warned),
        0,
        tuple(f"{result.title}: {line}" for result in warned for line in _said(result)),
    )


def _said(result: Result) -> list[str]:
    findings = [f"{judged.finding.path}: {judged.finding.found}" for judged in result.findings]
    unknown = [f"{result.unknown.doing}: {result.unknown.found}"] if result.unknown else []
    return [shown(line) for line in (*findings, *unknown)] or [shown(result.reason)]


def _profile(request: BuildRequest, content: Content) -> str:
    words = ["agent-init" if request.init_mode is InitMode.AGENT else "systemd"]
    words += ["overlay"] if content is Content.OVERLAY else []
    words += [feature for feature in request.features if feature in ("confidential", "modules", "policy")]
    return ",".join(words)
