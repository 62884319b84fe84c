"""A verdict as SARIF 2.1.0 (OASIS), for code-scanning services.

A finding is a result at its guest path; what could not be looked at, and a check that broke, are notifications of a
run that did not succeed, for SARIF has no result that says "unknown".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from rootfs_kit import __version__
from rootfs_kit.suite.catalogue import Entry, catalogue
from rootfs_kit.suite.check import Severity
from rootfs_kit.suite.rendering import headline
from rootfs_kit.suite.verdict import Judged, Result, State, Verdict
from rootfs_kit.tree.paths import shown

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT = "ROOTFS"
LEVELS = {Severity.ERROR: "error", Severity.WARN: "warning", Severity.INFO: "note"}


def sarif(verdict: Verdict) -> dict[str, Any]:
    """The whole log: one run, with the rules that were broken."""
    broken = [result for result in verdict.results if result.findings]
    failed = [result for result in verdict.of(State.FAILED) if not result.findings]
    rules = sorted({_rule_id(result) for result in [*broken, *failed]})
    entries = {entry.info.id: entry for entry in reversed(catalogue())}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "rootfs-kit",
                        "version": __version__,
                        "rules": [_rule(rule, entries.get(rule)) for rule in rules],
                    }
                },
                "originalUriBaseIds": {ROOT: {"description": {"text": f"the rootfs {shown(verdict.rootfs)}"}}},
                "invocations": [_invocation(verdict)],
                "results": [
                    *(_result(result, judged, rules) for result in broken for judged in result.findings),
                    *(_bare_result(result, rules) for result in failed),
                ],
            }
        ],
    }


def _rule_id(result: Result) -> str:
    return result.check or result.nodeid.partition("[")[0]


def _rule(rule: str, entry: Entry | None) -> dict[str, Any]:
    if entry is None:
        return {"id": rule}
    return {
        "id": rule,
        "name": entry.name,
        "shortDescription": {"text": entry.summary},
        "fullDescription": {"text": entry.text},
        "help": {"text": f"{entry.text}\n\nSource of the rule: {entry.info.source}"},
        "defaultConfiguration": {"level": LEVELS[entry.info.severity]},
    }


def _result(result: Result, judged: Judged, rules: list[str]) -> dict[str, Any]:
    finding = judged.finding
    parts = [
        f"{finding.path}: {finding.found}", f"expected: {finding.expected}", f"at boot: {finding.at_boot}",
        f"mend: {finding.mend}",
    ]  # fmt: skip
    entry: dict[str, Any] = {
        "ruleId": _rule_id(result),
        "ruleIndex": rules.index(_rule_id(result)),
        "level": LEVELS[judged.severity],
        "message": {"text": "\n".join(shown(part) for part in parts if not part.endswith(": "))},
        "locations": [_location(finding.path)],
        "partialFingerprints": {"rootfsKit/v1": f"{result.nodeid}:{quote(finding.path, errors='surrogateescape')}"},
    }
    if judged.waiver is not None:
        entry["suppressions"] = [{"kind": "external", "status": "accepted", "justification": judged.waiver}]
    return entry


def _bare_result(result: Result, rules: list[str]) -> dict[str, Any]:
    """A test of the user's own that failed by an assertion: there is no finding with a path."""
    return {
        "ruleId": _rule_id(result),
        "ruleIndex": rules.index(_rule_id(result)),
        "level": "error",
        "message": {"text": headline(result)},
        "locations": [_location("/")],
    }


def _location(path: str) -> dict[str, Any]:
    uri = quote(path.lstrip("/"), errors="surrogateescape") or "."
    return {"physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": ROOT}}}


def _invocation(verdict: Verdict) -> dict[str, Any]:
    notifications = list(_notifications(verdict))
    return {
        "executionSuccessful": not notifications,
        "properties": {"profile": list(verdict.profile.words), "rootfs": verdict.rootfs},
        "toolExecutionNotifications": notifications,
    }


def _notifications(verdict: Verdict) -> Iterator[dict[str, Any]]:
    for result in verdict.of(State.UNKNOWN, State.BROKEN):
        yield {"level": "error", "message": {"text": f"{result.nodeid}: {headline(result)}"}}
    for complaint in verdict.complaints:
        yield {"level": "error", "message": {"text": shown(complaint)}}
