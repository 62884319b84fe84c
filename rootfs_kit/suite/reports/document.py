"""A verdict as one JSON document; docs/report.md describes it, and `format` changes when it would mislead a reader."""

from __future__ import annotations

from typing import Any

from rootfs_kit import __version__
from rootfs_kit.suite.verdict import Judged, Result, State, Verdict

FORMAT = 1


def document(verdict: Verdict) -> dict[str, Any]:
    """Dictionaries, lists, strings and numbers that json.dumps takes as they are."""
    profile = verdict.profile
    return {
        "format": FORMAT,
        "generator": f"rootfs-kit {__version__}",
        "rootfs": {"name": verdict.rootfs, "kind": verdict.kind},
        "profile": {
            "init": profile.init.value,
            "content": profile.content.value,
            "features": sorted(profile.features),
            "reasons": list(profile.reasons),
        },
        "conforms": verdict.conforms,
        "counts": {state.value: verdict.count(state) for state in State},
        "seconds": round(verdict.seconds, 3),
        "complaints": list(verdict.complaints),
        "remarks": list(verdict.remarks),
        "results": [_result(result) for result in verdict.results],
    }


def _result(result: Result) -> dict[str, Any]:
    unknown = result.unknown
    return {
        "id": result.nodeid,
        "check": result.check,
        "severity": result.severity.value,
        "source": result.source,
        "state": result.state.value,
        "seconds": round(result.seconds, 4),
        "reason": result.reason,
        "findings": [_finding(judged) for judged in result.findings],
        "could_not_look": {"doing": unknown.doing, "found": unknown.found, "hint": unknown.hint} if unknown else None,
    }


def _finding(judged: Judged) -> dict[str, Any]:
    finding = judged.finding
    return {
        "path": finding.path,
        "found": finding.found,
        "expected": finding.expected,
        "at_boot": finding.at_boot,
        "mend": finding.mend,
        "severity": judged.severity.value,
        "waiver": judged.waiver,
    }
