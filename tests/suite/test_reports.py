"""One verdict in each form that machines read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rootfs_kit.axes import Content, InitMode
from rootfs_kit.suite.check import Finding, Severity
from rootfs_kit.suite.profile import Profile
from rootfs_kit.suite.reports import write_report
from rootfs_kit.suite.reports.document import document
from rootfs_kit.suite.reports.github import workflow_commands
from rootfs_kit.suite.reports.sarif import sarif
from rootfs_kit.suite.verdict import Judged, Result, State, Unknown, Verdict
from tests.suite.conftest import Pytest

INIT = "rootfs-kit/test_init.py::test_init_is_executable"
FINDING = Finding("/sbin/init", "nothing", "an executable", "the kernel panics", "install init")


def result(state: State, *findings: Judged, severity: Severity = Severity.ERROR, **more: Any) -> Result:
    return Result(INIT, "INI-01", "init/main.c", severity, state, looks=True, findings=findings, **more)


FAILED = result(State.FAILED, Judged(FINDING, Severity.ERROR), seconds=0.01234)
WARNED = result(State.WARNED, Judged(Finding("/tmp/\udcff", "a\nb", "c", "", "d"), Severity.WARN))
WAIVED = result(State.WAIVED, Judged(FINDING, Severity.ERROR, "until 2030-01-01: known"))
UNKNOWN = result(State.UNKNOWN, unknown=Unknown("reading /sbin/init", "permission denied", "run as root"))
BROKEN = result(State.BROKEN, reason="KeyError: 'nothing'")


def verdict(*results: Result, **more: Any) -> Verdict:
    profile = Profile(InitMode.SYSTEMD, Content.FULL, frozenset({"modules"}), ("init: systemd (named)",))
    return Verdict("./rootfs", "directory", profile, results, seconds=0.5, **more)


def test_json_document_holds_everything() -> None:
    written = document(verdict(FAILED, WARNED, UNKNOWN, remarks=("a waiver was not needed",)))
    assert json.loads(json.dumps(written)) == written
    assert written["format"] == 1
    assert written["rootfs"] == {"name": "./rootfs", "kind": "directory"}
    assert written["profile"] == {
        "init": "systemd", "content": "full", "features": ["modules"], "reasons": ["init: systemd (named)"],
    }  # fmt: skip
    assert written["conforms"] is False
    assert written["counts"]["failed"] == written["counts"]["warned"] == written["counts"]["could not look"] == 1
    assert written["counts"]["passed"] == 0
    assert written["remarks"] == ["a waiver was not needed"]
    failed, _, unknown = written["results"]
    assert failed == {
        "id": INIT, "check": "INI-01", "severity": "error", "source": "init/main.c", "state": "failed",
        "seconds": 0.0123, "reason": "", "could_not_look": None,
        "findings": [
            {
                "path": "/sbin/init", "found": "nothing", "expected": "an executable", "at_boot": "the kernel panics",
                "mend": "install init", "severity": "error", "waiver": None,
            }
        ],
    }  # fmt: skip
    assert unknown["could_not_look"] == {
        "doing": "reading /sbin/init", "found": "permission denied", "hint": "run as root",
    }  # fmt: skip


def test_json_of_a_path_that_is_no_utf_8_is_json(tmp_path: Path) -> None:
    write_report(verdict(WARNED), tmp_path / "report.json")
    written = json.loads((tmp_path / "report.json").read_bytes())
    assert written["results"][0]["findings"][0]["path"] == "/tmp/\udcff"


def test_sarif_has_rules_results_and_suppressions(tmp_path: Path) -> None:
    write_report(verdict(FAILED, WARNED, WAIVED), tmp_path / "report.sarif")
    log = json.loads((tmp_path / "report.sarif").read_bytes())
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert (rule["id"], rule["name"]) == ("INI-01", "test_init_is_executable")
    assert rule["shortDescription"]["text"].startswith("Guards against")
    failed, warned, waived = run["results"]
    assert (failed["ruleId"], failed["ruleIndex"], failed["level"]) == ("INI-01", 0, "error")
    assert failed["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "sbin/init", "uriBaseId": "ROOTFS"}
    assert failed["message"]["text"].splitlines()[0] == "/sbin/init: nothing"
    assert "suppressions" not in failed
    assert warned["level"] == "warning"
    assert warned["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "tmp/%FF"
    assert warned["message"]["text"].splitlines()[0] == "/tmp/\\xff: a\\nb"
    assert waived["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "until 2030-01-01: known"}
    ]
    assert run["invocations"][0]["executionSuccessful"] is True


def test_sarif_says_that_a_run_did_not_see_everything() -> None:
    (run,) = sarif(verdict(UNKNOWN, BROKEN, complaints=("nothing was judged",)))["runs"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    texts = [notification["message"]["text"] for notification in invocation["toolExecutionNotifications"]]
    assert texts[0] == f"{INIT}: INI-01: could not look: reading /sbin/init: permission denied"
    assert "KeyError" in texts[1] and texts[2] == "nothing was judged"
    assert run["results"] == []


def test_annotations_name_the_check_and_hold_the_whole_finding() -> None:
    lines = list(workflow_commands(verdict(FAILED, WARNED, WAIVED, UNKNOWN, complaints=("50% judged",))))
    assert lines[0].startswith("::error title=INI-01 test_init_is_executable::INI-01: /sbin/init: nothing%0A")
    assert "at boot   the kernel panics%0A" in lines[0]
    assert lines[1].startswith("::warning title=")
    assert "permission denied" in lines[2]
    assert lines[3] == "::error title=rootfs-kit::50%25 judged"
    assert len(lines) == 4, "what is waived needs no attention"


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one process", "xdist"])
def test_plugin_writes_the_report_that_was_asked_for(
    run: Pytest, rootfs_dir: Path, here: Path, workers: list[str]
) -> None:
    if workers:
        pytest.importorskip("xdist", reason="needs pytest-xdist")
    (rootfs_dir / "sbin/init").unlink()
    arguments = [f"--rootfs={rootfs_dir}", "rootfs-kit/test_init.py", *workers]
    ended = run(*arguments, "--rootfs-report=report.json")
    assert ended.status == 1
    assert ended.lines_with(f"rootfs-kit: report in {here}/report.json")
    written = json.loads((here / "report.json").read_bytes())
    states = {entry["id"]: entry["state"] for entry in written["results"]}
    assert states[INIT] == "failed"
    assert written["seconds"] > 0 and not written["conforms"]
    run(*arguments, "--rootfs-report=report.sarif")
    assert json.loads((here / "report.sarif").read_bytes())["runs"][0]["results"][0]["ruleId"] == "INI-01"


def test_under_github_actions_annotations_and_groups_appear(run: Pytest, rootfs_dir: Path) -> None:
    (rootfs_dir / "sbin/init").unlink()
    arguments = [f"--rootfs={rootfs_dir}", "rootfs-kit/test_init.py", "rootfs-kit/test_network.py"]
    there = run(*arguments, GITHUB_ACTIONS="true")
    assert there.lines_with("::error title=INI-01 test_init_is_executable::")
    assert there.lines_with("::warning title=NET-03")
    begin, end = (there.text.index(part) for part in ("::group::rootfs warnings: ", "::endgroup::"))
    assert begin < there.text.index("iptables-save") < end
    elsewhere = run(*arguments)
    assert "::" not in elsewhere.text.replace(".py::", "")
