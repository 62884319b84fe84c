"""docs/adding-a-distro.md is true: its commands are run, one after the other, as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.build.builds import Mirror
from tests.support.requirements import needs_program
from tests.support.surroundings import PROJECT, clean_environment

PAGE = PROJECT / "docs/adding-a-distro.md"
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
SECONDS = 300


@pytest.mark.slow
@needs_program("bash", "cc")
def test_the_commands_of_the_page_work(mirror: Mirror, tmp_path: Path) -> None:
    assert len(COMMANDS) >= 5
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "rootfs-kit").write_text(f'#!/bin/sh\nexec {sys.executable} -m rootfs_kit "$@"\n')
    (programs / "rootfs-kit").chmod(0o755)
    (tmp_path / "empty").mkdir()
    # The archive in miniature stands where Debian's is.
    told = {"REPO_URL": mirror.url, "ROOTFS_KIT_DISTROS_PATH": str(mirror.distros)}
    done = subprocess.run(
        ["bash", "-euxc", "\n".join(COMMANDS)],
        cwd=tmp_path / "empty",
        env={**clean_environment(), **told, "PATH": f"{programs}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("my_awesome_rootfs", "my_shell_rootfs"):
        assert (tmp_path / f"empty/rootfs-{name}/usr/bin/kata-agent").is_file()


def test_every_key_that_a_distro_toml_may_have_is_on_the_page() -> None:
    from rootfs_kit.distro.file import KEYS

    rows = {cell for line in PAGE.read_text().splitlines() if line.startswith("| `") for cell in line.split("|")[1:2]}
    named = {word.strip("[]") for row in rows for word in re.findall(r"`([^`]+)`", row)}
    assert set(KEYS) <= named


def test_every_variable_that_is_read_from_a_config_sh_is_on_the_page() -> None:
    from rootfs_kit.distro.config_script import VARIABLES

    assert [name for name in VARIABLES if f"`{name}`" not in PAGE.read_text()] == []
