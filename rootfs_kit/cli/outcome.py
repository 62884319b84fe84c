"""What a command ends with: an exit status, and on standard error one message for whatever went wrong.

Nothing that a user can type, set or write into a file ends in a traceback. Exit codes are those of errors.ExitCode,
and the shell's (128 + the signal's number) for a command that a signal or a closed pipe stopped.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click
from click.shell_completion import shell_complete

from rootfs_kit.cli.printing import printable
from rootfs_kit.errors import ExitCode, RootfsKitError
from rootfs_kit.interrupts import Interrupted, interruptible

PROGRAM = "rootfs-kit"
COMPLETION_VARIABLE = "_ROOTFS_KIT_COMPLETE"

BROKEN_PIPE = 128 + signal.SIGPIPE


def run(command: click.Group, arguments: Sequence[str]) -> int:
    """Run `command` with `arguments` and return the exit status."""
    instruction = os.environ.get(COMPLETION_VARIABLE)
    if instruction:
        return shell_complete(command, {}, PROGRAM, COMPLETION_VARIABLE, instruction)
    with interruptible():
        try:
            return _run(command, list(arguments))
        except Interrupted as stopped:
            _complain(f"stopped by {stopped}")
            return stopped.exit_code


def _run(command: click.Group, arguments: list[str]) -> int:
    state: dict[str, Any] = {}
    try:
        status = _invoke(command, arguments, state)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whatever is still buffered would raise again when the interpreter flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Interrupted:
        raise
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted")
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except RootfsKitError as error:
        return _explain(error, state)
    except Exception as error:
        return _confess(error, state)


def _invoke(command: click.Group, arguments: list[str], state: dict[str, Any]) -> int:
    """The status that a command returns; None counts as done."""
    try:
        with command.make_context(PROGRAM, arguments, obj=state) as context:
            return int(command.invoke(context) or ExitCode.DONE)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code


def _explain(error: RootfsKitError, state: dict[str, Any]) -> int:
    """Say what was being done, what was found and what to do next; `--json` gets the same as a document."""
    _show_traceback(state)
    if state.get("json"):
        document = {"doing": error.doing, "found": error.found, "hint": error.hint}
        click.echo(_as_json({"error": document, "exit_code": int(error.exit_code)}))
    _complain(f"{error.doing}: {error.found}")
    if error.hint:
        _advise(error.hint)
    return error.exit_code


def _confess(error: Exception, state: dict[str, Any]) -> int:
    """An exception that nobody foresaw is a fault of rootfs-kit, never the user's."""
    _show_traceback(state)
    _complain(f"this should not have happened: {type(error).__name__}: {error}")
    if not state.get("debug"):
        _advise("The same command with --debug shows where; please report it.")
    return ExitCode.BUILD_FAILED


def _show_traceback(state: dict[str, Any]) -> None:
    if state.get("debug"):
        import traceback

        click.echo(traceback.format_exc(), err=True)


def _complain(message: str) -> None:
    _say(click.style(f"{PROGRAM}: ", fg="red", bold=True), message)


def _advise(hint: str) -> None:
    _say(f"  {click.style('next:', bold=True)} ", hint)


def _say(label: str, text: str) -> None:
    lines = _folded(printable(text), len(click.unstyle(label)))
    with suppress(OSError):
        click.echo(label + "\n    ".join(lines), err=True)


def _folded(text: str, label: int) -> list[str]:
    """The lines of `text`, which begins after `label` columns; folded between words where a terminal would cut."""
    if not sys.stderr.isatty():
        return text.splitlines() or [""]
    width = max(shutil.get_terminal_size().columns - 4, 20)
    lines: list[str] = []
    for line in text.splitlines() or [""]:
        begun = "" if lines else " " * max(label - 4, 0)
        indent = line[: len(line) - len(line.lstrip())]
        folded = textwrap.wrap(
            begun + line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
        lines += [folded[0].removeprefix(begun), *folded[1:]] if folded else [""]
    return lines


def _as_json(document: object) -> str:
    import json

    return json.dumps(document, indent=2)
