"""`--help` tells the whole story: examples, environment names, defaults; and it fits the screen."""

from __future__ import annotations

import re

import pytest

from rootfs_kit.cli import cli
from rootfs_kit.request.knobs import KNOBS
from tests.cli.conftest import Run

COMMANDS = sorted(cli.commands)


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_the_program_lists_its_commands_and_explains_its_exit_codes(run: Run):
    outcome = run("--help")
    assert outcome.status == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", outcome.out, re.M)
    for meaning in ("1 the rootfs does not conform", "2 wrong usage", "3 the build failed", "4 the host lacks"):
        assert meaning in flat(outcome.out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_examples_of_itself(run: Run, command: str):
    outcome = run(command, "--help")
    assert outcome.status == 0
    assert f"rootfs-kit {command}" in outcome.out.split("Examples:")[1]


@pytest.mark.parametrize("columns", ["80", "160"])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_the_screen(run: Run, monkeypatch: pytest.MonkeyPatch, command: str, columns: str):
    monkeypatch.setenv("COLUMNS", columns)
    outcome = run(*filter(None, [command]), "-h")
    assert max(map(len, outcome.out.splitlines())) <= int(columns)


@pytest.mark.parametrize("command", ["build", "overlay", "show"])
def test_every_knob_is_shown_with_its_variable_and_default(run: Run, command: str):
    text = flat(run(command, "--help").out)
    for knob in KNOBS:
        if (command, knob.field) == ("show", "format"):
            continue  # its own --format says how to print
        if command not in (*knob.commands, "show"):
            assert knob.flag not in text
            continue
        shown = f"--[no-]{knob.key}" if knob.is_switch else knob.flag
        assert shown in text
        if knob.environment_shown:
            assert f"env: {knob.environment_shown}" in text
        if knob.default_shown:
            assert f"default: {knob.default_shown}" in text


def test_the_version_is_one_line(run: Run):
    assert re.fullmatch(r"rootfs-kit \d+\.\d+\.\d+\n", run("--version").out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bild",), "No such command 'bild'"),
        (("list", "--formt", "json"), "--format"),
        (("list", "--format", "xml"), "'xml' is not one of"),
        (("list", "extra"), "unexpected extra argument"),
        (("completion", "tcsh"), "'tcsh' is not one of"),
        (("show", "debian", "--agent-bin"), "requires an argument"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(spawn: Run, arguments: tuple[str, ...], said: str):
    outcome = spawn(*arguments)
    assert outcome.status == 2
    assert said in outcome.err
    assert outcome.out == ""


def test_no_command_at_all_shows_the_help(spawn: Run):
    outcome = spawn()
    assert "Commands:" in outcome.out + outcome.err
    assert outcome.status == 2
