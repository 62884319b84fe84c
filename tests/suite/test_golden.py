"""One good and one bad rootfs in every form that a verdict is told in, held against files in golden/.

`ROOTFS_KIT_WRITE_GOLDEN=1 pytest tests/suite/test_golden.py` writes them anew; read the difference before you keep it.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.suite.conftest import Ended, Pytest
from tests.suite.sarif_rules import violations

GOLDEN = Path(__file__).with_name("golden")
CHECKS = "rootfs-kit/test_init.py"
STATUS = {"passing": 0, "failing": 1}
OF_THE_MACHINE = ("platform ", "cachedir", "rootdir", "plugins", "configfile", "hypothesis")
TIMES = re.compile(r"\d+\.\d+s( \(\d+:\d\d:\d\d\))?")
PLACE_OF_A_CHECK = re.compile(r"[^\s>]*/rootfs_kit/checks/(\w+\.py):\d+")
RULER = re.compile(r"^=+ | =+$")
JUNIT_OF_THE_RUN = re.compile(r' (time|timestamp|hostname)="[^"]*"')


@pytest.fixture(params=STATUS)
def kind(request: pytest.FixtureRequest, rootfs_dir: Path) -> str:
    if request.param == "failing":
        (rootfs_dir / "usr/lib/systemd/systemd").chmod(0o644)
        (rootfs_dir / "usr/sbin/init").unlink()
        (rootfs_dir / "usr/sbin/init").symlink_to("/lib/nothing\x1b[31m")
    name: str = request.param
    return name


def judged(run: Pytest, rootfs: Path, kind: str, *more: str, **variables: str) -> Ended:
    ended = run(f"--rootfs={rootfs}", CHECKS, "-v", "-p", "no:randomly", *more, **variables)
    assert ended.status == STATUS[kind], ended.text
    return ended


def hold(name: str, text: str, rootfs: Path) -> None:
    """Compare with the golden file of that name, all that differs from run to run taken out."""
    text = text.replace(str(rootfs), "ROOTFS")
    golden = GOLDEN / name
    if os.environ.get("ROOTFS_KIT_WRITE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def test_terminal(run: Pytest, rootfs_dir: Path, kind: str) -> None:
    lines = judged(run, rootfs_dir, kind).text.splitlines()
    kept = [TIMES.sub("TIME", RULER.sub("", line)) for line in lines if not line.startswith(OF_THE_MACHINE)]
    hold(f"{kind}.txt", "\n".join(kept) + "\n", rootfs_dir)


def test_annotations(run: Pytest, rootfs_dir: Path, kind: str) -> None:
    lines = judged(run, rootfs_dir, kind, GITHUB_ACTIONS="true").text.splitlines()
    hold(f"{kind}.annotations", "".join(f"{line}\n" for line in lines if line.startswith("::")), rootfs_dir)


def test_junit(run: Pytest, rootfs_dir: Path, kind: str, here: Path) -> None:
    judged(run, rootfs_dir, kind, "--junitxml=junit.xml")
    text = JUNIT_OF_THE_RUN.sub("", (here / "junit.xml").read_text())
    text = PLACE_OF_A_CHECK.sub(r"CHECKS/\1", text)
    hold(f"{kind}.xml", text.replace("><", ">\n<") + "\n", rootfs_dir)


def test_json(run: Pytest, rootfs_dir: Path, kind: str, here: Path) -> None:
    judged(run, rootfs_dir, kind, "--rootfs-report=report.json")
    document = json.loads((here / "report.json").read_bytes())
    _without_times(document)
    hold(f"{kind}.json", json.dumps(document, indent=1) + "\n", rootfs_dir)


def test_sarif(run: Pytest, rootfs_dir: Path, kind: str, here: Path) -> None:
    judged(run, rootfs_dir, kind, "--rootfs-report=report.sarif")
    log = json.loads((here / "report.sarif").read_bytes())
    assert violations(log) == []
    log["runs"][0]["tool"]["driver"]["version"] = "VERSION"
    hold(f"{kind}.sarif", json.dumps(log, indent=1) + "\n", rootfs_dir)


def _without_times(document: dict[str, Any]) -> None:
    document["generator"] = "rootfs-kit VERSION"
    for timed in (document, *document["results"]):
        timed["seconds"] = 0


@pytest.mark.parametrize(
    "break_it",
    [
        lambda log: log.pop("version"),
        lambda log: log.update(verson="2.1.0"),
        lambda log: log["runs"][0]["results"][0].update(level="fatal"),
        lambda log: log["runs"][0]["results"][0].update(ruleIndex=7),
        lambda log: log["runs"][0]["results"][0]["message"].update(text=""),
        lambda log: log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"].update(
            uri="a b"
        ),
        lambda log: log["runs"][0]["invocations"][0].pop("executionSuccessful"),
        lambda log: log["runs"][0]["tool"]["driver"]["rules"].append(log["runs"][0]["tool"]["driver"]["rules"][0]),
    ],
)
def test_rules_of_sarif_refuse_what_the_schema_refuses(break_it: Any) -> None:
    log = json.loads((GOLDEN / "failing.sarif").read_text())
    assert violations(log) == []
    break_it(log)
    assert violations(log) != []
