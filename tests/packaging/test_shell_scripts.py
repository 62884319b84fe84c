"""The shell scripts that the package carries are held to shellcheck's rules, where it is installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.requirements import needs_program

SCRIPTS = sorted((Path(__file__).parents[2] / "rootfs_kit/backends/shell").glob("*.sh"))


@needs_program("shellcheck")
def test_shellcheck_finds_nothing() -> None:
    assert SCRIPTS
    done = subprocess.run(
        ["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", *map(str, SCRIPTS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == ""
