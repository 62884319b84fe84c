"""Whatever happens, a command ends with a message for people and the exit status that design gives it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import click
import pytest

from rootfs_kit import errors
from rootfs_kit.cli import Group
from rootfs_kit.cli.outcome import run


class Trouble:
    """A program of one command, `go`, that does what a test wants done."""

    def __init__(self, action):
        @click.group(cls=Group)
        @click.option("--json", "as_json", is_flag=True)
        @click.pass_obj
        def program(state, as_json):
            if as_json:
                state["json"] = True

        @program.command()
        def go():
            return action()

        self.program = program

    def run(self, *arguments: str) -> int:
        return run(self.program, [*arguments, "go"])


def raising(error: BaseException):
    def action():
        raise error

    return action


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.NotConforming, 1),
        (errors.UsageError, 2),
        (errors.BadArchive, 2),
        (errors.CouldNotLook, 2),
        (errors.BuildFailed, 3),
        (errors.HostLacks, 4),
    ],
)
def test_an_error_says_what_was_done_what_was_found_and_what_is_next(capfd, kind, status: int):
    trouble = Trouble(raising(kind("frying the eggs", "there is no pan", "Buy a pan.")))
    assert trouble.run() == status
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "rootfs-kit: frying the eggs: there is no pan\n  next: Buy a pan.\n"


def test_an_error_is_a_document_too_where_json_was_asked_for(capfd):
    trouble = Trouble(raising(errors.UsageError("frying the eggs", "there is no pan", "Buy a pan.")))
    assert trouble.run("--json") == 2
    out, err = capfd.readouterr()
    assert json.loads(out) == {
        "error": {"doing": "frying the eggs", "found": "there is no pan", "hint": "Buy a pan."},
        "exit_code": 2,
    }
    assert "there is no pan" in err


def test_no_control_character_of_a_file_name_reaches_the_terminal(capfd):
    trouble = Trouble(raising(errors.UsageError("reading \x1b[2J", "bell \a and\nline\rtwo \udcff", "Stop.")))
    trouble.run()
    err = capfd.readouterr().err
    assert err == "rootfs-kit: reading \\x1b[2J: bell \\x07 and\n    line\\rtwo \\udcff\n  next: Stop.\n"


def test_an_unforeseen_exception_is_owned_up_to_without_a_traceback(capfd):
    assert Trouble(raising(KeyError("eggs"))).run() == 3
    err = capfd.readouterr().err
    assert "this should not have happened: KeyError: 'eggs'" in err
    assert "--debug" in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(capfd):
    trouble = Trouble(raising(KeyError("eggs")))
    assert run(trouble.program, ["go", "--debug"]) == 3
    assert "Traceback" in capfd.readouterr().err


def test_an_interrupt_ends_with_130(capfd):
    assert Trouble(raising(KeyboardInterrupt())).run() == 130
    assert capfd.readouterr().err == "rootfs-kit: interrupted\n"


def test_sigterm_unwinds_what_is_held_open_and_ends_with_143(capfd, tmp_path: Path):
    def action():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            (tmp_path / "let-go").touch()

    before = signal.getsignal(signal.SIGTERM)
    assert Trouble(action).run() == 143
    assert (tmp_path / "let-go").exists()
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_status_that_a_command_returns_is_the_programs(capfd):
    assert Trouble(lambda: errors.ExitCode.NOT_CONFORMING).run() == 1
    assert Trouble(lambda: None).run() == 0
