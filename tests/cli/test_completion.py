"""Shells complete commands, options and distributions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.distro.test_discovery import make
from tests.support.requirements import needs_program


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_for_each_shell(spawn: Run, shell: str):
    outcome = spawn("completion", shell)
    assert outcome.status == 0
    assert "_ROOTFS_KIT_COMPLETE" in outcome.out


@needs_program("bash")
def test_the_script_for_bash_is_valid(spawn: Run):
    script = spawn("completion", "bash").out
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def complete(spawn: Run, words: str) -> list[str]:
    outcome = spawn(_ROOTFS_KIT_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1))
    return [line.split(",", 1)[1] for line in outcome.out.splitlines() if line]


def test_commands_are_completed(spawn: Run):
    assert "list" in complete(spawn, "rootfs-kit li")


def test_options_are_completed(spawn: Run):
    assert "--agent-init" in complete(spawn, "rootfs-kit show --agent-i")


def test_distributions_are_completed_those_of_named_directories_too(spawn: Run, tmp_path: Path):
    make(tmp_path / "mine" / "alpha")
    assert complete(spawn, "rootfs-kit show deb") == ["debian"]
    assert complete(spawn, "rootfs-kit show --distros-dir mine alph") == ["alpha"]


def test_a_wrong_directory_completes_nothing_and_says_nothing(spawn: Run):
    assert complete(spawn, "rootfs-kit show --distros-dir nowhere al") == []
