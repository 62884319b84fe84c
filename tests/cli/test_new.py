"""`rootfs-kit new`: a distribution of one's own, listed at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.config_scripts import describe
from tests.support.requirements import needs_program

STYLES = [(), ("--from", "debian"), ("--style", "shell")]


def listed(run: Run) -> dict[str, dict[str, object]]:
    return {each["name"]: each for each in json.loads(run("list", "--format", "json", "--distros-dir", ".").out)}


@needs_program("bash")
@pytest.mark.parametrize("options", STYLES, ids=["toml", "from debian", "shell"])
def test_what_it_writes_is_listed_and_shown_at_once(run: Run, options: tuple[str, ...]) -> None:
    made = run("new", "my_awesome_rootfs", *options)
    assert made.status == 0, made.err
    for line in made.out.splitlines():
        assert Path(line).read_text().startswith("#"), line
        assert "@distro@" not in Path(line).read_text()
    assert listed(run)["my_awesome_rootfs"]["directory"] == str(Path("my_awesome_rootfs").absolute())
    shown = run("show", "my_awesome_rootfs", "--distros-dir", ".")
    assert shown.status == 0, shown.err
    assert "chrony" in shown.out


@needs_program("bash")
def test_a_shell_skeleton_has_the_files_of_osbuilders_template(run: Run) -> None:
    run("new", "mine", "--style", "shell")
    assert sorted(path.name for path in Path("mine").iterdir()) == ["Dockerfile.in", "config.sh", "rootfs_lib.sh"]


def test_it_is_made_where_it_is_wanted(run: Run) -> None:
    assert run("new", "mine", "--from", "debian", "--dir", "deep/er").status == 0
    assert Path("deep/er/mine/distro.toml").is_file()


def test_nothing_is_overwritten(run: Run) -> None:
    Path("mine").mkdir()
    Path("mine/distro.toml").write_text("precious")
    refused = run("new", "mine")
    assert (refused.status, Path("mine/distro.toml").read_text()) == (2, "precious")
    assert "is there already" in refused.err


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a b", "\x1b[2J"])
def test_a_name_that_is_none_is_refused(run: Run, name: str) -> None:
    refused = run("new", "--", name)
    assert refused.status == 2
    assert "is no name for a distribution" in refused.err
    assert list(Path().iterdir()) == []


def test_what_is_not_there_cannot_be_extended(run: Run) -> None:
    refused = run("new", "mine", "--from", "debain")
    assert refused.status == 2
    assert 'Did you mean "debian"?' in refused.err
    assert not Path("mine").exists()


@needs_program("bash")
def test_neither_can_a_config_sh_be_extended_nor_extend(run: Run, tmp_path: Path) -> None:
    describe(tmp_path / "there/scripted")
    for options in (("--from", "scripted"), ("--from", "debian", "--style", "shell")):
        refused = run("new", "mine", "--distros-dir", "there", *options)
        assert refused.status == 2
        assert "config.sh" in refused.err
    assert not Path("mine").exists()


def test_a_directory_that_cannot_be_made_is_told(run: Run) -> None:
    Path("file").touch()
    refused = run("new", "mine", "--dir", "file")
    assert refused.status == 2
    assert "file/mine: Not a directory" in refused.err
