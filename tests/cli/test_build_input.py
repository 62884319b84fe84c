"""Bad input to `build` and `overlay`: one clear message, the right exit status, and nothing changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Run
from tests.distro.test_discovery import make
from tests.support.programs import foreign_program, static_program


@pytest.fixture
def refused(spawn: Run, tmp_path: Path):
    """Run a command that must be refused with status 2, and see to it that the working directory stays as it is."""

    def run(*arguments: str, **environ: str) -> Outcome:
        before = sorted(tmp_path.rglob("*"))
        outcome = spawn(*arguments, **environ)
        assert outcome.status == 2, outcome
        assert sorted(tmp_path.rglob("*")) == before
        assert outcome.out == ""
        assert outcome.err.startswith("rootfs-kit: ")
        assert "\n  next: " in outcome.err
        assert "Traceback" not in outcome.err
        return outcome

    return run


def test_an_unknown_distribution_gets_the_nearest(refused):
    assert 'Did you mean "debian"?' in refused("build", "debain", "--agent", "probe").err


def test_no_distribution_at_all_says_where_to_name_one(refused):
    assert "rootfs-kit list" in refused("build", "--agent", "probe").err


def test_agent_init_maybe(refused):
    outcome = refused("build", "debian", "--agent", "probe", AGENT_INIT="maybe")
    assert 'AGENT_INIT from the environment: "maybe" is neither yes nor no' in outcome.err


def test_agent_policy_without_a_file(refused):
    outcome = refused("build", "debian", "--agent", "probe", AGENT_POLICY="yes")
    assert "AGENT_POLICY is yes, and AGENT_POLICY_FILE names no file" in outcome.err


def test_malformed_toml(refused, tmp_path: Path):
    (tmp_path / "build.toml").write_text('distro = "debian"\nagent = probe\n')
    outcome = refused("build", "--config", "build.toml")
    assert "build.toml: line 2, column 9: invalid value" in outcome.err


def test_a_key_that_does_not_exist(refused, tmp_path: Path):
    (tmp_path / "build.toml").write_text("agentbin = 'x'\n")
    assert 'Did you mean "agent-bin"?' in refused("overlay", "-r", "out", "--config", "build.toml").err


@pytest.mark.parametrize("command", [("build", "debian"), ("overlay", "-r", "out")])
def test_two_agents(refused, command: tuple[str, ...]):
    assert "two are given" in refused(*command, "--agent-bin", "a", "--agent-tarball", "b").err


@pytest.mark.parametrize("command", [("build", "debian"), ("overlay", "-r", "out")])
def test_no_agent_lists_the_ways_to_give_one(refused, command: tuple[str, ...]):
    error = refused(*command).err
    for way in ("--agent-bin", "--agent-tarball", "--agent probe"):
        assert way in error


@pytest.mark.parametrize("option", ["--agent-bin", "--agent-tarball", "--agent-policy", "--kernel-modules"])
def test_an_input_that_is_not_there(refused, option: str):
    agent = () if option in ("--agent-bin", "--agent-tarball") else ("--agent", "probe")
    error = refused("build", "debian", *agent, option, "nowhere").err
    assert f"(command line, {option})" in error
    assert "nowhere does not exist" in error


def test_an_agent_that_is_no_program(refused, tmp_path: Path):
    agent = tmp_path / "agent"
    agent.write_text("#!/bin/sh\n")
    agent.chmod(0o755)
    assert "agent" in refused("build", "debian", "--agent-bin", "agent").err


@pytest.mark.parametrize("command", [("build", "debian"), ("overlay", "-r", "out")])
def test_an_agent_that_cannot_be_one(refused, tmp_path: Path, command: tuple[str, ...]):
    program = static_program().read_bytes()
    words = {
        "not-executable": (program, 0o644, "it is not executable"),
        "foreign": (foreign_program(static_program()).read_bytes(), 0o755, "and the guest is to be"),
        "broken-off": (program[: len(program) // 2], 0o755, "bytes"),
        "empty": (b"", 0o755, "it is no program: it is empty"),
    }
    for name, (content, mode, _) in words.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(mode)
    for name, (_, _, said) in words.items():
        assert said in refused(*command, "--agent-bin", name).err


@pytest.mark.parametrize(
    "option",
    ["--agent-tarball", "--guest-hooks-tarball", "--pause-tarball", "--coco-tarball"],
)
def test_an_archive_that_is_none(refused, tmp_path: Path, option: str):
    (tmp_path / "no.tar").write_text("hello")
    agent = () if option == "--agent-tarball" else ("--agent", "probe")
    assert f"reading {tmp_path / 'no.tar'}" in refused("build", "debian", *agent, option, "no.tar").err


def test_a_directory_that_holds_no_modules(refused, tmp_path: Path):
    (tmp_path / "modules/6.1.0/kernel").mkdir(parents=True)
    (tmp_path / "modules/6.1.0/kernel/loop.ko").touch()
    (tmp_path / "other/kernel").mkdir(parents=True)
    above = refused("build", "debian", "--agent", "probe", "--kernel-modules", "modules").err
    assert f"next: Name the one that the guest's kernel needs: {tmp_path / 'modules/6.1.0'}" in above
    none = refused("build", "debian", "--agent", "probe", "--kernel-modules", str(tmp_path)).err
    assert "none of modules.dep, modules.order, modules.builtin is in there" in none


def test_a_policy_that_is_not_the_agents(refused, tmp_path: Path):
    (tmp_path / "p.rego").write_text("package other\n")
    error = refused("build", "debian", "--agent", "probe", "--agent-policy", "p.rego").err
    assert 'it has no line "package agent_policy"' in error


def test_a_distribution_without_systemd_needs_agent_init(refused, tmp_path: Path):
    make(tmp_path / "mine" / "mini", init="agent")
    error = refused("build", "mini", "--distros-dir", "mine", "--agent", "probe").err
    assert "it has no systemd" in error
    assert "Give --agent-init (AGENT_INIT=yes)" in error


def test_an_overlay_without_a_place(refused):
    assert "Give -r DIR, or set ROOTFS_DIR." in refused("overlay", "--agent", "probe").err


@pytest.mark.parametrize("target", ["/", "/usr", "/tmp", "."])
def test_a_target_that_can_only_be_a_mistake(refused, target: str):
    refused("build", "debian", "--agent", "probe", "-r", target)


def test_a_directory_that_somebody_else_filled(refused, tmp_path: Path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1").touch()
    assert "--force" in refused("build", "debian", "--agent", "probe", "-r", "thesis").err


def test_a_file_for_a_target(refused, tmp_path: Path):
    (tmp_path / "file").touch()
    assert "it is a file" in refused("build", "debian", "--agent", "probe", "-r", "file").err


@pytest.mark.parametrize("arguments", [("-v", "-q"), ("-q", "-v"), ("-qv",)])
def test_quiet_and_verbose(spawn: Run, arguments: tuple[str, ...]):
    outcome = spawn("build", "debian", "--agent", "probe", *arguments)
    assert outcome.status == 2
    assert "contradict each other" in outcome.err


def test_json_holds_the_error_too(spawn: Run):
    outcome = spawn("build", "debain", "--agent", "probe", "--json")
    assert outcome.status == 2
    document = json.loads(outcome.out)
    assert document["exit_code"] == 2
    assert document["error"]["doing"] == 'looking for the distribution "debain"'
    assert "Did you mean" in document["error"]["hint"]


def test_a_working_directory_that_is_gone(spawn: Run, tmp_path: Path):
    gone = tmp_path / "gone"
    gone.mkdir()
    here = os.getcwd()
    os.chdir(gone)
    gone.rmdir()
    try:
        from rootfs_kit.cli import cli
        from rootfs_kit.cli.outcome import run

        assert run(cli, ["list"]) == 2
    finally:
        os.chdir(here)
