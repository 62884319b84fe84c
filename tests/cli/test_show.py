"""`rootfs-kit show`: everything a build would use, each value with where it came from."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from rootfs_kit.axes import InitMode
from rootfs_kit.distro import Distro
from rootfs_kit.distro.search import discover
from tests.cli.conftest import PACKAGE_PARENT, Outcome, Run
from tests.distro.test_discovery import make

MIGRATING = PACKAGE_PARENT / "docs/migrating-from-osbuilder.md"


def settings(outcome: Outcome) -> dict[str, tuple[object, str]]:
    facts = json.loads(outcome.out)
    return {setting["name"]: (setting["value"], setting["from"]) for setting in facts["settings"]}


def test_each_value_says_where_it_came_from(spawn: Run, tmp_path: Path):
    (tmp_path / "build.toml").write_text('\nagent-name = "mine"\n')
    outcome = spawn(
        "show", "debian", "--config", "build.toml", "--agent-init", "--format", "json", EXTRA_PKGS="strace jq"
    )
    assert outcome.status == 0
    values = settings(outcome)
    assert values["distro"] == ("debian", "command line, DISTRO")
    assert values["agent-init"] == (True, "command line, --agent-init")
    assert values["extra-pkgs"] == (["strace", "jq"], "environment, EXTRA_PKGS")
    assert values["agent-name"] == ("mine", "build.toml:2")
    assert values["os-version"] == ("trixie", "distribution's default")
    assert values["osbuilder-version"] == ("unknown", "built-in default")
    assert values["rootfs-dir"] == (str(tmp_path / "rootfs-debian"), "built-in default")


def test_the_file_alone_describes_a_build(run: Run, tmp_path: Path):
    (tmp_path / "build.toml").write_text('distro = "debian"\nos-version = "12"\n')
    values = settings(run("show", "--config", "build.toml", "--format", "json"))
    assert values["distro"] == ("debian", "build.toml:1")
    assert values["os-version"] == ("bookworm", "build.toml:2")


def test_the_facts_of_rootfs_sh_t_are_there(run: Run):
    outcome = run("show", "debian", "--os-version", "bookworm")
    assert "init process            systemd" in outcome.out
    assert "excluded architectures  riscv64" in outcome.out
    assert "init process            kata-agent" in run("show", "debian", "--agent-init").out


@pytest.mark.parametrize("distro", discover(), ids=lambda distro: distro.name)
def test_every_distribution_is_shown_as_the_page_for_users_of_osbuilder_says(run: Run, distro: Distro):
    """rootfs.sh -t tells of each."""
    alone = run("show", distro.name)
    if InitMode.SYSTEMD in distro.init_modes:
        assert alone.status == 0
    else:
        assert (alone.status, run("show", distro.name, "--agent-init").status) == (2, 0)
        [row] = [line for line in MIGRATING.read_text().splitlines() if "`rootfs.sh -t DISTRO`" in line]
        assert "`--agent-init`" in row
        assert distro.title in row


def test_packages_are_shown_by_what_needs_them(run: Run):
    outcome = run("show", "debian", "--extra-pkgs", "strace,jq")
    assert "every guest    chrony cryptsetup-bin e2fsprogs iptables kmod" in outcome.out
    assert "init: systemd  dbus init systemd" in outcome.out
    assert "seccomp        libseccomp2" in outcome.out
    assert "extra          strace jq" in outcome.out


def test_the_commands_can_be_pasted_into_a_shell(run: Run):
    facts = json.loads(run("show", "debian", "--format", "json").out)
    text = run("show", "debian").out
    [*_, page] = text.partition("Commands")[2].partition("===\n")
    shown = shlex.split(page.partition("\n\n")[0])
    argv = [word for command in facts["commands"] for word in command["argv"]]
    assert [word for word in shown if word in argv] == argv
    assert facts["tools"]


def test_what_was_named_and_is_not_there_is_noted(run: Run):
    outcome = run("show", "debian", "--agent-bin", "nowhere")
    assert outcome.status == 0
    assert "nowhere does not exist" in outcome.out


@pytest.mark.parametrize("columns", [80, 160])
def test_it_fits_the_screen(run: Run, monkeypatch: pytest.MonkeyPatch, columns: int):
    monkeypatch.setenv("COLUMNS", str(columns))
    outcome = run("show", "debian", "--agent-bin", "some/rather/long/path/to/an/agent/that/is/not/there")
    page = outcome.out.partition("\nCommands")[0]
    assert max(map(len, page.splitlines())) <= columns


def test_an_environment_that_makes_no_sense_is_told_as_it_is_for_a_build(spawn: Run):
    outcome = spawn("show", "debian", AGENT_INIT="maybe")
    assert outcome.status == 2
    assert outcome.out == ""
    assert "reading AGENT_INIT from the environment" in outcome.err
    assert '"maybe" is neither yes nor no' in outcome.err
    assert "AGENT_INIT takes yes or no." in outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "debain"), 'Did you mean "debian"?'),
        (("show",), "no distribution is named"),
        (("show", "debian", "--os-version", "14.04"), 'there is no release "14.04"'),
        (("show", "debian", "--arch", "sparc"), 'it is not made for "sparc"'),
        (("show", "debian", "--config", "none.toml"), "there is no such file"),
        (("show", "debian", "--agent-bin", "a", "--agent-tarball", "b"), "two are given"),
        (("show", "debian", "--source-date-epoch", "now"), '"now" is no whole number'),
        (("show", "mini", "--distros-dir", "mine"), "Give --agent-init (AGENT_INIT=yes)"),
    ],
)
def test_bad_input_ends_with_one_clear_message(spawn: Run, tmp_path: Path, arguments: tuple[str, ...], said: str):
    make(tmp_path / "mine" / "mini", init="agent")
    outcome = spawn(*arguments)
    assert outcome.status == 2
    assert outcome.out == ""
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_malformed_toml_is_told_with_line_and_column(spawn: Run, tmp_path: Path):
    (tmp_path / "build.toml").write_text("agent-init = true\nextra-pkgs = [\n")
    outcome = spawn("show", "debian", "--config", "build.toml")
    assert outcome.status == 2
    assert f"reading {tmp_path}/build.toml: line 2, column 15: invalid value" in outcome.err


def test_a_backend_that_does_not_exist_is_told(spawn: Run, tmp_path: Path):
    directory = make(tmp_path / "mine" / "odd")
    text = (directory / "distro.toml").read_text()
    (directory / "distro.toml").write_text(text.replace("mmdebstrap", "mmdebstrop"))
    outcome = spawn("show", "odd", "--distros-dir", "mine")
    assert outcome.status == 2
    assert "mmdebstrop" in outcome.err


@pytest.mark.parametrize("format_", ["table", "json"])
@pytest.mark.parametrize("name", ["caf\udce9", "bell\x07\x1b[2J", "ünïcödé"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_any_name_of_a_file_can_be_shown_anywhere(spawn: Run, format_: str, name: str, encoding: str):
    outcome = spawn("show", "debian", "--format", format_, ROOTFS_DIR=name, PYTHONIOENCODING=encoding)
    assert (outcome.status, outcome.err) == (0, "")
    assert "\x1b" not in outcome.out
    assert "\x07" not in outcome.out
