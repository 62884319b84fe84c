"""`rootfs-kit overlay` from end to end, as the quickest of the commands that make something: what a user sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.requirements import needs_program, needs_root

pytestmark = [needs_root(), needs_program("cc")]


def test_stages_go_to_standard_error_and_the_table_to_standard_output(spawn: Run, tmp_path: Path):
    outcome = spawn("overlay", "-r", "out", "--agent", "probe")
    assert outcome.status == 0
    assert (tmp_path / "out/usr/bin/kata-agent").is_file()
    assert outcome.out.splitlines()[0].split() == ["rootfs", str(tmp_path / "out")]
    assert "passed" in outcome.out.splitlines()[-1]
    assert "furnishing the guest" in outcome.err
    assert max(map(len, outcome.out.splitlines()[1:])) <= 80


def test_quiet_is_silent_on_success(spawn: Run):
    outcome = spawn("overlay", "-r", "out", "--agent", "probe", "-q")
    assert outcome == type(outcome)(0, "", "")


def test_json_is_one_document_on_standard_output(spawn: Run, tmp_path: Path):
    outcome = spawn("overlay", "-r", "out", "--agent", "probe", "--json", "--quiet")
    document = json.loads(outcome.out)
    assert outcome.status == 0
    assert document["rootfs_dir"] == str(tmp_path / "out")
    assert document["content"] == "overlay"
    assert document["checks"]["failed"] == 0


def test_environment_and_file_say_the_rest(spawn: Run, tmp_path: Path):
    (tmp_path / "build.toml").write_text('agent = "probe"\nagent-init = false\n')
    outcome = spawn("overlay", "--config", "build.toml", ROOTFS_DIR="here", AGENT_INIT="yes")
    assert outcome.status == 0
    assert (tmp_path / "here/sbin/init").is_file()


@pytest.mark.parametrize("log", ["nowhere/overlay.log", "out.txt/overlay.log", "."])
def test_a_log_that_cannot_be_written_is_bad_input(spawn: Run, tmp_path: Path, log: str):
    (tmp_path / "out.txt").touch()
    outcome = spawn("overlay", "-r", "out", "--agent", "probe", "--log", log)
    assert outcome.status == 2
    assert "Name a file that can be written" in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_log_is_written_where_it_was_asked_for(spawn: Run, tmp_path: Path):
    assert spawn("overlay", "-r", "out", "--agent", "probe", "--log", "overlay.log").status == 0
    assert (tmp_path / "overlay.log").is_file()


def test_an_agent_that_no_suite_accepts_is_not_published(spawn: Run, tmp_path: Path):
    outcome = spawn("overlay", "-r", "out", "--agent", "probe", "--no-allow-probe-agent", "--json")
    assert outcome.status == 1
    assert not (tmp_path / "out").exists()
    assert "AGT-01" in outcome.err
    assert json.loads(outcome.out)["exit_code"] == 1


def test_what_is_ignored_is_told_first(spawn: Run, tmp_path: Path):
    (tmp_path / "build.toml").write_text("extra-pkgs = ['strace']\n")
    outcome = spawn("overlay", "-r", "out", "--agent", "probe", "--config", "build.toml", AGENT_SOURCE_BIN="old")
    assert outcome.status == 0
    assert outcome.err.splitlines()[:2] == [
        "warning: environment, AGENT_SOURCE_BIN: not used, since the agent comes from the command line, --agent",
        "warning: build.toml:1: extra-pkgs means nothing for an overlay",
    ]
