"""`rootfs-kit list`: what can be built."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PACKAGE_PARENT, Run, command_line
from tests.distro.test_discovery import make


def test_names_are_one_per_line_and_sorted(run: Run, tmp_path: Path):
    make(tmp_path / "mine" / "zeta")
    make(tmp_path / "mine" / "alpha")
    outcome = run("list", "--format", "names", "--distros-dir", "mine")
    names = outcome.out.splitlines()
    assert names == sorted(names)
    assert {"alpha", "debian", "zeta"} <= set(names)


def test_the_table_says_release_init_architectures_and_where(run: Run, tmp_path: Path):
    make(tmp_path / "mine", init="agent")
    outcome = run("list", "--distros-dir", "mine")
    header = outcome.out.splitlines()[0]
    assert header.split() == ["name", "release", "updates", "init", "machines", "from"]
    assert re.search(r"trixie \(13\) \* +until 2030-06-30", outcome.out)
    assert re.search(r"bookworm \(12\) +until 2028-06-30", outcome.out)
    assert "built in" in outcome.out
    assert "agent" in outcome.out


@pytest.mark.parametrize("columns", [80, 160])
def test_the_table_fits_the_screen(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, columns: int):
    monkeypatch.setenv("COLUMNS", str(columns))
    make(tmp_path / "a-long-name-of-a-directory" / "mine")
    outcome = run("list", "--distros-dir", "a-long-name-of-a-directory")
    assert max(map(len, outcome.out.splitlines())) <= columns


def test_json_is_for_programs(run: Run):
    [debian] = [distro for distro in json.loads(run("list", "--format", "json").out) if distro["name"] == "debian"]
    assert debian["default_release"] == "trixie"
    assert debian["architectures"]["x86_64"] == "amd64"
    releases = {release["name"]: release for release in debian["releases"]}
    assert releases["bookworm"]["version"] == "12"
    assert "riscv64" not in releases["bookworm"]["architectures"]
    assert "riscv64" in releases["trixie"]["architectures"]
    assert Path(debian["directory"], "distro.toml").is_file()


def test_a_wrong_description_is_told_after_the_others(run: Run, tmp_path: Path):
    (make(tmp_path / "mine" / "broken") / "distro.toml").write_text("title = \n")
    outcome = run("list", "--distros-dir", "mine")
    assert outcome.status == 2
    assert "debian" in outcome.out
    assert "broken/distro.toml: line 1, column 9: invalid value" in outcome.err


def test_every_wrong_description_is_told(run: Run, tmp_path: Path):
    for name in ("one", "two"):
        (make(tmp_path / "mine" / name) / "distro.toml").write_text("title = \n")
    outcome = run("list", "--distros-dir", "mine")
    assert outcome.status == 2
    assert "one/distro.toml" in outcome.err
    assert "two/distro.toml" in outcome.err


def test_the_environment_names_more_directories(spawn: Run, tmp_path: Path):
    make(tmp_path / "mine" / "alpha")
    assert "alpha\n" in spawn("list", "--format=names", ROOTFS_KIT_DISTROS_PATH="mine").out
    missing = spawn("list", ROOTFS_KIT_DISTROS_PATH="nowhere")
    assert missing.status == 2
    assert "there is no such directory" in missing.err


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("list", "--format", "names")])
def test_what_is_only_asked_is_answered_without_loading_the_suite_or_the_build(arguments: tuple[str, ...]):
    program = (
        "import sys\nfrom rootfs_kit.cli import cli\nfrom rootfs_kit.cli.outcome import run\n"
        f"run(cli, {arguments!r})\n"
        "heavy = {'pytest', 'sh', 'elftools', 'yaml', 'zstandard', 'filelock', 'rootfs_kit.build'} & set(sys.modules)\n"
        "sys.exit(','.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(PACKAGE_PARENT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_leaves_early_is_no_error(clean_environment: None):
    with subprocess.Popen(
        command_line("show", "debian", "--format", "json"),
        env={**os.environ, "PYTHONPATH": str(PACKAGE_PARENT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
