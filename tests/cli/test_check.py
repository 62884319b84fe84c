"""`rootfs-kit check`, `checks` and `expect`: the suite, as a command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_kit.cli import cli
from tests.cli.conftest import PACKAGE_PARENT, Run
from tests.support.trees import systemd_guest


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    (tmp_path / "guest").mkdir()
    return systemd_guest(tmp_path / "guest")


def test_a_good_rootfs_conforms(spawn: Run, guest: Path):
    outcome = spawn("check", "guest")
    assert (outcome.status, outcome.err) == (0, "")
    assert "passed" in outcome.out
    assert spawn("check", "guest", "--quiet").out == ""


def test_a_broken_one_does_not_and_the_check_is_named(spawn: Run, guest: Path):
    (guest / "usr/bin/kata-agent").unlink()
    outcome = spawn("check", "guest")
    assert outcome.status == 1
    assert "AGT-01" in outcome.out
    assert "AGT-01" in spawn("check", "guest", "--quiet").out


@pytest.mark.parametrize("broken", [False, True])
def test_the_verdict_is_that_of_pytest(spawn: Run, guest: Path, tmp_path: Path, broken: bool):
    if broken:
        (guest / "usr/bin/kata-agent").unlink()
    pytest_run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "rootfs_kit.pytest_plugin", f"--rootfs={guest}"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PACKAGE_PARENT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert spawn("check", "guest").status == pytest_run.returncode == int(broken)


def test_json_is_the_verdict_as_a_document(spawn: Run, guest: Path):
    (guest / "usr/bin/kata-agent").unlink()
    outcome = spawn("check", "guest", "--json")
    assert outcome.status == 1
    assert "AGT-01" in outcome.out
    json.loads(outcome.out)


def test_a_report_is_written(spawn: Run, guest: Path, tmp_path: Path):
    assert spawn("check", "guest", "--report", "report.json").status == 0
    json.loads((tmp_path / "report.json").read_text())


def test_what_is_expected_can_be_written_down_and_held_to(spawn: Run, guest: Path, tmp_path: Path):
    written = spawn("expect", "guest")
    assert written.status == 0
    (tmp_path / "expect.toml").write_text(written.out)
    assert spawn("check", "guest", "--expect", "expect.toml").status == 0
    (guest / "usr/bin/kata-agent").chmod(0o700)
    assert spawn("check", "guest", "--expect", "expect.toml", "--strict").status == 1


def test_messages_spell_the_options_of_both_doors():
    """A message that names an option of the suite reaches people who typed `rootfs-kit check`, and pytest."""
    names = [option.removeprefix("--") for parameter in cli.commands["check"].params for option in parameter.opts]
    of_the_suite = "|".join(name for name in names if f"rootfs-{name}" in names)
    assert "allow-host" in of_the_suite
    both = re.compile(r"\(with pytest\s+`?--rootfs-[a-z-]+`?\)")
    one = re.compile(rf"--rootfs-(?:{of_the_suite})\b")
    of_pytest_alone = {"pytest_plugin.py", "options.py", "run.py"}
    sources = [*(PACKAGE_PARENT / "rootfs_kit").rglob("*.py"), *(PACKAGE_PARENT / "checks").rglob("*.py")]
    texts = {source: both.sub("", source.read_text()) for source in sources if source.name not in of_pytest_alone}
    assert {str(source): found for source, text in texts.items() if (found := one.findall(text))} == {}


def test_the_advertised_query_finds_the_findings(spawn: Run, guest: Path):
    assert "--json | jq '.results[].findings[]'" in spawn("check", "--help").out
    (guest / "usr/bin/kata-agent").unlink()
    results = json.loads(spawn("check", "guest", "--json").out)["results"]
    assert [finding["path"] for result in results for finding in result["findings"]][:1] == ["/usr/bin/kata-agent"]


PROJECT = '[project]\nname = "mine"\n\n[tool.rootfs-kit]\ndistro = "another"\n'
NOTE = "pyproject.toml has expectations; name it with --expect to hold the rootfs to them"


@pytest.mark.parametrize("way", [[], ["--json"], ["--quiet"]], ids=" ".join)
def test_expectations_of_a_project_are_not_passed_over_in_silence(
    spawn: Run, guest: Path, tmp_path: Path, way: list[str]
):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    outcome = spawn("check", "guest", *way)
    assert outcome.status == 0
    assert outcome.err == f"rootfs-kit: {NOTE}\n"


def test_expectations_of_a_project_are_held_to_where_they_are_named(spawn: Run, guest: Path, tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    outcome = spawn("check", "guest", "--expect", "pyproject.toml")
    assert outcome.status == 1
    assert "EXP-01" in outcome.out
    assert outcome.err == ""


@pytest.mark.parametrize("text", ["", "[tool.ruff]\n# rootfs-kit\n", "rootfs-kit = [\n"])
def test_other_projects_are_not_spoken_of(spawn: Run, guest: Path, tmp_path: Path, text: str):
    (tmp_path / "pyproject.toml").write_text(text)
    assert spawn("check", "guest").err == ""
    named = spawn("check", "guest", "--expect", "pyproject.toml")
    assert named.status == 2
    assert "it has no [tool.rootfs-kit]" in named.err or "line 1" in named.err


def test_options_go_by_pytests_names_too(spawn: Run, guest: Path):
    for option in ("--profile", "--rootfs-profile"):
        outcome = spawn("check", "guest", option, "agent-init")
        assert outcome.status == 1
        assert "INI-02" in outcome.out
    assert "--rootfs-profile" not in spawn("check", "--help").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "nowhere"), "there is no such directory"),
        (("check", ""), "its name is empty"),
        (("check", "guest", "--base", ""), "its name is empty"),
        (("expect", ""), "its name is empty"),
        (("check", "/"), "--allow-host (with pytest --rootfs-allow-host)"),
        (("check", "guest", "--profile", "systemdd"), "no profile"),
        (("check", "guest", "--expect", "none.toml"), "none.toml"),
        (("check", "guest", "--report", "report.txt"), "Name a .json or a .sarif file"),
        (("check", "guest", "--json", "--report", "report.json"), "Give one of --json and --report"),
        (("check",), "Missing argument 'ROOTFS'"),
        (("checks", "INI-1"), 'Did you mean "INI-01"?'),
        (("expect", "nowhere"), "there is no such directory"),
    ],
)
def test_bad_input_ends_with_one_clear_message(spawn: Run, guest: Path, arguments: tuple[str, ...], said: str):
    outcome = spawn(*arguments)
    assert outcome.status == 2
    assert outcome.out == ""
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_checks_are_listed_and_explained(spawn: Run):
    listed = spawn("checks").out
    assert "INI-01" in listed
    explained = spawn("checks", "INI-01").out
    assert "/sbin/init" in explained
    assert "AGT-01" not in explained
    assert "INI-01" in {each["id"] for each in json.loads(spawn("checks", "--format", "json").out)}
