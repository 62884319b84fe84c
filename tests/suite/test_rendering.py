"""What a person reads: path, found, expected, at boot, mend; without tracebacks, repetition or terminal escapes."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from rootfs_kit.suite.check import Finding, Severity
from rootfs_kit.suite.rendering import finding_lines, headline, result_lines
from rootfs_kit.suite.verdict import Judged, Result, State, Unknown, result_of
from tests.suite.conftest import Pytest

MINE = """
import pytest
from rootfs_kit.errors import CouldNotLook
from rootfs_kit.suite.check import ERROR, INFO, WARN, Finding, Severity, check, report, require

TEXTS = dict(found="a wrong thing", expected="a right thing", at_boot="it does not boot", mend="put it right")

@check("X-01", severity=ERROR, source="book(1)")
def test_error(rootfs): require(False, "/error", **TEXTS)

@check("X-02", severity=WARN, source="book(2)")
def test_warning(rootfs): require(False, "/warning", **TEXTS)

@check("X-03", severity=INFO, source="book(3)")
def test_note(rootfs): require(False, "/note", **TEXTS)

@check("X-04", severity=ERROR, source="book(4)")
def test_unknown(rootfs): raise CouldNotLook("reading /unknown", "permission denied", "run as root")

@check("X-05", severity=ERROR, source="book(5)")
def test_lowered(rootfs): require(False, "/lowered", **TEXTS, severity=Severity.WARN)

@check("X-06", severity=ERROR, source="book(6)")
def test_broken(rootfs): {}["nothing"]

@check("X-07", severity=ERROR, source="book(7)")
def test_many(rootfs):
    report(Finding(f"/many/{n}", "a wrong thing", "a right thing", "", f"remove /many/{n}") for n in range(9))

@pytest.fixture
def blind(): raise CouldNotLook("reading /fixture", "corrupt", "mend it")

@check("X-08", severity=ERROR, source="book(8)")
def test_unknown_to_a_fixture(rootfs, blind): pass

def test_of_a_user(rootfs): require(False, "/user", **TEXTS)

def test_plain_assertion(rootfs): assert rootfs.exists("/nowhere")
"""


def one(path: str = "/x", found: str = "f", **texts: str) -> Judged:
    finding = Finding(path, found, **{"expected": "e", "at_boot": "b", "mend": "m", **texts})
    return Judged(finding, Severity.ERROR)


@pytest.fixture
def mine(here: Path) -> Path:
    file = here / "test_mine.py"
    file.write_text(MINE)
    return file


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one process", "xdist"])
def test_each_kind_of_result_is_told_in_its_own_way(
    run: Pytest, rootfs_dir: Path, mine: Path, workers: list[str]
) -> None:
    if workers:
        pytest.importorskip("xdist", reason="needs pytest-xdist")
    ended = run(f"--rootfs={rootfs_dir}", *workers, mine.name)
    assert ended.status == 1
    for part in ("5 failed", "1 passed", "2 warned", "2 could not look"):
        assert ended.lines_with("=====")[-1].count(part) == 1, ended.text
    text = ended.text
    assert (
        "  /error\n    found     a wrong thing\n    expected  a right thing\n    at boot   it does not boot\n" in text
    )
    assert "    mend      put it right\n  rule      book(1)\n" in text
    assert "could not look: reading /unknown\n    found     permission denied\n    mend      run as root" in text
    assert "could not look: reading /fixture" in text
    sections = [line.strip("= ") for line in text.splitlines() if line.startswith("=====")]
    assert {"FAILURES", "could not look", "rootfs warnings", "short test summary info"} <= set(sections)
    assert "/note" not in text, "information is only recorded"
    assert "require(" not in text, "a finding has no traceback"
    assert "KeyError: 'nothing'" in text, "a check that broke has one"
    assert "rootfs.exists" in text, "and so has an assertion of the user's own"


def test_letters_and_words_of_each_kind(run: Pytest, rootfs_dir: Path, mine: Path) -> None:
    short = run(f"--rootfs={rootfs_dir}", mine.name)
    assert short.lines_with("test_mine.py FW.UWFFUFF")
    long = run(f"--rootfs={rootfs_dir}", "-v", mine.name)
    for line in ("test_error FAILED", "test_warning WARNED", "test_note PASSED", "test_unknown UNKNOWN"):
        assert long.lines_with(line)
    assert long.lines_with("/note"), "-v tells notes as well"


def test_warnings_fail_when_strict(run: Pytest, rootfs_dir: Path, mine: Path) -> None:
    only = ["-k", "X-02 or X-05"]
    assert run(f"--rootfs={rootfs_dir}", mine.name, *only).status == 0
    strict = run(f"--rootfs={rootfs_dir}", mine.name, *only, "--rootfs-strict")
    assert strict.status == 1
    assert strict.lines_with("2 failed")


def test_summary_line_says_what_and_where(run: Pytest, rootfs_dir: Path, mine: Path) -> None:
    ended = run(f"--rootfs={rootfs_dir}", mine.name)
    assert ended.lines_with("FAILED test_mine.py::test_error - X-01: /error: a wrong thing")
    assert ended.lines_with("FAILED test_mine.py::test_many - X-07: /many/0: a wrong thing (and 8 more)")


def test_many_paths_are_told_once_and_in_full_on_request(run: Pytest, rootfs_dir: Path, mine: Path) -> None:
    ended = run(f"--rootfs={rootfs_dir}", mine.name, "-k", "X-07")
    assert ended.lines_with("  9 paths:")
    assert ended.lines_with("/many/4: ") and not ended.lines_with("/many/5: ")
    assert ended.lines_with("… and 4 more; all: --no-truncate (with pytest --rootfs-no-truncate)")
    assert len(ended.lines_with("mend      remove PATH")) == 1
    full = run(f"--rootfs={rootfs_dir}", mine.name, "-k", "X-07", "--rootfs-no-truncate")
    assert full.lines_with("/many/8: ") and not full.lines_with("… and")


def test_junit_holds_one_line_and_the_whole_text(run: Pytest, rootfs_dir: Path, mine: Path, here: Path) -> None:
    run(f"--rootfs={rootfs_dir}", mine.name, "--junitxml=junit.xml", "-k", "X-01 or X-02 or X-04")
    suite = ElementTree.parse(here / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "2", "0")
    failure = suite.find(".//testcase[@name='test_error']/failure")
    assert failure is not None
    assert failure.get("message") == "X-01: /error: a wrong thing"
    assert "at boot   it does not boot" in (failure.text or "")
    unknown = suite.find(".//testcase[@name='test_unknown']/failure")
    assert unknown is not None
    assert unknown.get("message") == "X-04: could not look: reading /unknown: permission denied"


def test_different_findings_are_told_one_by_one() -> None:
    lines = list(finding_lines([one("/a", "1"), one("/b", "2", mend="other")]))
    assert [line for line in lines if line.startswith("  /")] == ["  /a", "  /b"]


def test_many_different_findings_are_cut_as_well() -> None:
    findings = [one(f"/{n}", expected=f"e{n}") for n in range(8)]
    assert list(finding_lines(findings))[-1] == "  … and 3 more; all: --no-truncate (with pytest --rootfs-no-truncate)"
    assert len([line for line in finding_lines(findings, truncate=False) if line.startswith("  /")]) == 8


def test_nothing_of_a_rootfs_reaches_the_terminal_unescaped() -> None:
    evil = "/a\x1b[31m\n::error::\x9b\u202e\udcff"
    lines = list(finding_lines([one(evil, evil, expected=evil, at_boot=evil, mend=evil)]))
    assert all(line.isprintable() for line in lines)
    assert "\\x1b[31m\\n" in lines[0] and lines[0].endswith("\\xff")


def test_result_survives_the_way_between_processes() -> None:
    result = Result(
        "rootfs-kit/test_x.py::test_x[\udcff]",
        "X-01",
        "book(1)",
        Severity.WARN,
        State.WAIVED,
        looks=True,
        findings=(Judged(Finding("/\udcff\n", "f", "e", "b", "m", Severity.INFO), Severity.INFO, "until then"),),
        unknown=Unknown("doing", "found", "hint"),
        reason="why",
        waivers=(0, 3),
        seconds=0.25,
    )
    text = result.as_text()
    assert text.isascii()
    assert result_of(text) == result


def test_headline_of_what_could_not_be_looked_at() -> None:
    result = Result("x::test_x", "X-01", "", Severity.ERROR, State.UNKNOWN, True, unknown=Unknown("a", "b", "c"))
    assert headline(result) == "X-01: could not look: a: b"
    assert result_lines(result) == ["  could not look: a", "    found     b", "    mend      c"]
