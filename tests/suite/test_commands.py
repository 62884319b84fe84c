"""What `rootfs-kit check`, `checks` and `expect` do, as their commands call it."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from rootfs_kit.errors import ExitCode, UsageError
from rootfs_kit.suite.commands import check, check_document, checks_document, expect, list_checks
from rootfs_kit.suite.expectation_file import read_expectation
from rootfs_kit.suite.run import JudgeOptions, judge
from rootfs_kit.suite.verdict import State
from tests.support.requirements import needs_program
from tests.support.trees import agent_init_guest, systemd_guest

needs_trees = needs_program("cc", "depmod")


def checked(root: Path, options: JudgeOptions | None = None, **more: bool) -> tuple[ExitCode, str]:
    out = io.StringIO()
    return check(root, options or JudgeOptions(), out, **more), out.getvalue()


@needs_trees
def test_good_rootfs_is_told_in_a_few_lines(tmp_path: Path) -> None:
    root = systemd_guest(tmp_path / "root")
    code, text = checked(root)
    assert code is ExitCode.DONE
    lines = text.splitlines()
    assert lines[0] == f"rootfs   {root} (directory)"
    assert lines[1] == "profile  systemd,modules"
    assert " passed" in lines[-2] and "failed" not in lines[-2]
    assert lines[-1] == "It conforms."
    assert checked(root, quiet=True) == (ExitCode.DONE, "")
    assert "init: systemd (/sbin/init is systemd)" in checked(root, verbose=True)[1]


def test_broken_rootfs_is_told_with_what_is_wrong(rootfs_dir: Path) -> None:
    (rootfs_dir / "usr/lib/systemd/systemd").unlink()
    for quiet in (False, True):
        code, text = checked(rootfs_dir, quiet=quiet)
        assert code is ExitCode.NOT_CONFORMING
        assert "FAILED  INI-01 test_init_is_executable\n  /sbin/init\n    found     a symlink to" in text
        assert text.endswith("It does not conform.\n")
    assert "\x1b" not in text, "colours are for terminals"


@needs_trees
def test_what_could_not_be_judged_has_a_status_of_its_own(tmp_path: Path) -> None:
    root = systemd_guest(tmp_path / "root")
    os.mkfifo(root / "etc/hosts")
    code, text = checked(root)
    assert code is ExitCode.USAGE
    assert "COULD NOT LOOK  NET-02 test_hosts_names_only_the_guest_itself" in text
    assert "could not look: reading /etc/hosts" in text
    assert text.endswith("It could not be judged.\n")


def test_report_is_written_beside_the_summary(rootfs_dir: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    code, _ = checked(rootfs_dir, JudgeOptions(report=report))
    written = json.loads(report.read_bytes())
    document, again = check_document(rootfs_dir, JudgeOptions())
    assert code is again
    assert {result["id"] for result in written["results"]} == {result["id"] for result in document["results"]}


@pytest.mark.parametrize("name", ["report.txt", "nowhere/report.json"])
def test_report_that_cannot_be_written_is_refused_before_the_work(rootfs_dir: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        checked(rootfs_dir, JudgeOptions(report=tmp_path / name))


def test_annotations_follow_the_summary_under_github_actions(rootfs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert "\n::error title=AGT-01" in checked(rootfs_dir)[1]


def test_checks_are_listed_and_explained() -> None:
    listed = list_checks()
    assert "INI-01  error  test_init_is_executable  (full rootfs)" in listed
    explained = list_checks("INI-01")
    assert "Guards against a guest whose kernel finds no /sbin/init." in explained
    documents = checks_document()
    assert {document["id"] for document in documents} >= {"INI-01", "NET-01", "EXP-07"}
    assert json.loads(json.dumps(documents)) == documents


@needs_trees
@pytest.mark.parametrize(("make", "with_units"), [(systemd_guest, {"EXP-04"}), (agent_init_guest, set())])
def test_expectations_of_a_good_tree_are_met_by_it(tmp_path: Path, make, with_units: set[str]) -> None:
    root = make(tmp_path / "root")
    file = tmp_path / "expect.toml"
    file.write_text(expect(root))
    expectation = read_expectation(file)
    assert expectation.distro == "debian" and len(expectation.packages) > 5 and expectation.files
    verdict = judge(root, JudgeOptions(expect=file))
    assert verdict.conforms, [result.nodeid for result in verdict.of(State.FAILED, State.UNKNOWN)]
    assert {result.check for result in verdict.results} >= {"EXP-01", "EXP-02", "EXP-05", "EXP-06"} | with_units


@needs_trees
@pytest.mark.parametrize(
    ("defect", "check_id"),
    [
        (lambda root: (root / "usr/lib/os-release").write_text("ID=another\n"), "EXP-01"),
        (lambda root: (root / "usr/bin/kata-agent").chmod(0o700), "EXP-02"),
        (lambda root: (root / "usr/lib/systemd/system/tmp.mount").unlink(), "EXP-04"),
        (lambda root: (root / "usr/bin/dd").chmod(0o4755), "EXP-06"),
        (lambda root: (root / "big").write_bytes(b"0" * (8 << 20)), "SIZ-01"),
        (
            lambda root: (root / "var/lib/dpkg/status").write_text(
                (root / "var/lib/dpkg/status").read_text().replace("Version: 1.0-1", "Version: 0.9-1")
            ),
            "PKG-01",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_expectations_notice_what_changed(tmp_path: Path, defect, check_id: str) -> None:
    root = systemd_guest(tmp_path / "root")
    file = tmp_path / "expect.toml"
    file.write_text(expect(root))
    defect(root)
    assert check_id in {result.check for result in judge(root, JudgeOptions(expect=file)).of(State.FAILED)}


def test_names_that_toml_cannot_hold_are_left_out(rootfs_dir: Path, tmp_path: Path) -> None:
    for name in (b"set\xff", b'quo"te\\\x1b'):
        path = bytes(rootfs_dir) + b"/usr/bin/" + name
        with open(path, "wb") as file:
            file.write(b"x")
        Path(path.decode("utf-8", "surrogateescape")).chmod(0o4755)
    file = tmp_path / "expect.toml"
    file.write_text(expect(rootfs_dir))
    assert read_expectation(file).setuid == frozenset({'/usr/bin/quo"te\\\x1b'})
