"""Programs that are asked a question, talked to while they run, or joined by a pipe.

`run.py` is the door for programs that do a piece of work on their own; these go through it too, with its environment
and its leash.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Queue
from threading import Event
from typing import TYPE_CHECKING, Any

from rootfs_kit.backends import Command
from rootfs_kit.errors import BuildFailed
from rootfs_kit.monitor import Monitor
from rootfs_kit.run import ANY_STATUS, NOT_FOUND, Log, Output, environment_of, kill, leash_of

if TYPE_CHECKING:
    import sh

TIMED_OUT = 124
"""The status of a program that did not answer in time; timeout(1) has it so."""


@dataclass(frozen=True)
class Answer:
    """What a program said, and its exit status."""

    status: int
    out: bytes
    err: str

    @property
    def last_words(self) -> str:
        """The last line of its complaint."""
        return (self.err.strip().splitlines() or [f"it ended with exit status {self.status} and said nothing"])[-1]


def ask(command: Command, seconds: float) -> Answer:
    """Run a command to its end, at most `seconds` long, and hold on to what it prints."""
    import sh

    argv = (*leash_of(command), *command.argv)
    try:
        running = _start(argv, command, _in=command.stdin, _timeout=seconds)
        running.wait()
    except sh.CommandNotFound:
        return Answer(NOT_FOUND, b"", f"there is no program {command.argv[0]}")
    except sh.TimeoutException:
        return Answer(TIMED_OUT, b"", f"no answer within {seconds:g} s")
    except sh.SignalException as ended:
        return Answer(int(ended.exit_code), bytes(ended.stdout), bytes(ended.stderr).decode(errors="replace"))
    except BaseException:
        kill(running)
        raise
    return Answer(int(running.exit_code), bytes(running.stdout), bytes(running.stderr).decode(errors="replace"))


class Conversation:
    """A program that is running: its lines are received, and it is told that we are done by closing its input."""

    def __init__(self, receive: Callable[[str], None], awaited: str) -> None:
        self._receive = receive
        self._awaited = awaited
        self._stirred = Event()
        self._input: Queue[str | None] = Queue()
        self._running: sh.RunningCommand | None = None
        self.said: str | None = None
        """The line that begins with what was awaited, once it was said."""

    def start(self, command: Command) -> None:
        """Raises BuildFailed where it cannot be started."""
        import sh

        argv = (*leash_of(command), *command.argv)
        try:
            self._running = _start(
                argv, command, _in=self._input, _out=self._take, _err_to_out=True, _done=self._ended,
                _decode_errors="surrogateescape",
            )  # fmt: skip
        except sh.CommandNotFound as error:
            raise BuildFailed(
                f"starting {argv[0]}", "there is no such program on PATH", f"Install {argv[0]}."
            ) from error

    def wait(self) -> None:
        """Until the awaited line is said, or the program ends without it."""
        self._stirred.wait()

    def hang_up(self, seconds: float) -> None:
        """Close its input, and give it `seconds` to end by itself."""
        import sh

        if self._running is None:
            return
        self._input.put(None)
        try:
            self._running.wait(timeout=seconds)
        except sh.TimeoutException:
            kill(self._running)
        except sh.SignalException:
            return

    def _take(self, line: str) -> None:
        line = line.rstrip("\r\n")
        if line.startswith(self._awaited):
            self.said = line
            self._stirred.set()
        else:
            self._receive(line)

    def _ended(self, *_: object) -> None:
        self._stirred.set()


def pipe(producer: Command, consumer: Command, monitor: Monitor, log: Log) -> None:
    """Run two commands, the output of one the input of the other, in the kernel. Raises BuildFailed."""
    listeners = [Output(command, monitor, log) for command in (producer, consumer)]
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb") as sink:
        started = [
            _started(producer, listeners[0], _out=sink, _err=listeners[0].receive),
            _started(consumer, listeners[1], _in=source, _out=listeners[1].receive, _err_to_out=True),
        ]
    statuses = list(_statuses(started))
    for command, listener, status in zip((consumer, producer), reversed(listeners), reversed(statuses), strict=True):
        if status != 0:
            raise BuildFailed(
                f"running {command.argv[0]}",
                f"it ended with status {status}; its last lines:\n{listener.last_lines()}",
                f"The whole output is in {log.path}.",
            )


def _started(command: Command, listener: Output, **how: Any) -> sh.RunningCommand:
    return _start((*leash_of(command), *command.argv), command, _decode_errors="surrogateescape", **how)


def _statuses(started: list[sh.RunningCommand]) -> Iterator[int]:
    import sh

    try:
        for running in started:
            try:
                running.wait()
            except sh.SignalException as ended:
                yield int(ended.exit_code)
            else:
                yield int(running.exit_code)
    except BaseException:
        for running in started:
            kill(running)
        raise


@contextmanager
def conversation(
    command: Command, receive: Callable[[str], None], awaited: str, patience: float
) -> Iterator[Conversation]:
    """The running program; its input is closed at the end, and `patience` seconds later it is killed."""
    talk = Conversation(receive, awaited)
    try:
        talk.start(command)
        yield talk
    finally:
        talk.hang_up(patience)


def _start(argv: tuple[str, ...], command: Command, **how: Any) -> sh.RunningCommand:
    import sh

    running: sh.RunningCommand = sh.Command(argv[0])(
        *argv[1:],
        _tty_out=False,
        _env=environment_of(command),
        _bg=True,
        _bg_exc=False,
        _new_session=True,
        _ok_code=ANY_STATUS,
        **how,
    )
    return running
