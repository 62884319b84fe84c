"""Programs that are asked a question, talked to while they run, or joined by a pipe.

`run.py` is the door for programs that do a piece of work on their own; these go through it too, with its environment
and its leash.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Queue
from threading import Event, Timer
from typing import TYPE_CHECKING

from rootfs_kit.backends import Command
from rootfs_kit.errors import BuildFailed
from rootfs_kit.interrupts import held, let_through
from rootfs_kit.monitor import Monitor
from rootfs_kit.run import NOT_FOUND, Log, Output, environment_of, how_it_ended, kill, start

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

    with held():
        try:
            running = start(command, _in=command.stdin)
        except sh.CommandNotFound:
            return Answer(NOT_FOUND, b"", f"there is no program {command.argv[0]}")
        return _answer(running, seconds)


def _answer(running: sh.RunningCommand, seconds: float) -> Answer:
    import sh

    too_late = Event()
    # Not sh's own _timeout: its timer would keep this process alive where the wait is interrupted.
    timer = Timer(seconds, _end, (running, too_late))
    timer.daemon = True
    timer.start()
    try:
        with let_through():
            running.wait()
    except sh.SignalException as ended:
        if too_late.is_set():
            return Answer(TIMED_OUT, b"", f"no answer within {seconds:g} s")
        return Answer(int(ended.exit_code), bytes(ended.stdout), bytes(ended.stderr).decode(errors="replace"))
    except BaseException:
        kill(running)
        raise
    finally:
        timer.cancel()
    return Answer(int(running.exit_code), bytes(running.stdout), bytes(running.stderr).decode(errors="replace"))


def _end(running: sh.RunningCommand, too_late: Event) -> None:
    too_late.set()
    with suppress(ProcessLookupError):
        running.signal_group(signal.SIGKILL)


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

        try:
            self._running = start(command, _in=self._input, _out=self._take, _err_to_out=True, _done=self._ended)
        except sh.CommandNotFound as error:
            program = command.argv[0]
            raise BuildFailed(f"starting {program}", "it is not on PATH", f"Install {program}.") from error

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


@contextmanager
def outliving(command: Command) -> Iterator[None]:
    """A command in a session of its own that does not end with this process: its input does.

    Where the body ends well it gets one word to read, and is waited for; else its input ends without one.
    """
    with held():
        watching = subprocess.Popen(
            command.argv,
            env=environment_of(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert watching.stdin is not None
        try:
            with let_through():
                yield
        except BaseException:
            watching.stdin.close()
            raise
        watching.communicate(b"done\n")


def pipe(producer: Command, consumer: Command, monitor: Monitor, log: Log) -> None:
    """Run two commands, the output of one the input of the other, in the kernel. Raises BuildFailed."""
    listeners = [Output(command, monitor, log) for command in (producer, consumer)]
    reading, writing = os.pipe()
    with held():
        with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb") as sink:
            started = [
                start(producer, _out=sink, _err=listeners[0].receive),
                start(consumer, _in=source, _out=listeners[1].receive, _err_to_out=True),
            ]
        statuses = _statuses(started)
    for command, listener, status in zip((consumer, producer), reversed(listeners), reversed(statuses), strict=True):
        if status != 0:
            raise BuildFailed(
                f"running {command.argv[0]}",
                f"it ended with {how_it_ended(status)}; {listener.summary()}",
                f"The whole output is in {log.named()}.",
            )


def _statuses(started: list[sh.RunningCommand]) -> list[int]:
    try:
        with let_through():
            return [_status(running) for running in started]
    except BaseException:
        for running in started:
            kill(running)
        raise


def _status(running: sh.RunningCommand) -> int:
    import sh

    try:
        running.wait()
    except sh.SignalException as ended:
        return int(ended.exit_code)
    return int(running.exit_code)


@contextmanager
def conversation(
    command: Command, receive: Callable[[str], None], awaited: str, patience: float
) -> Iterator[Conversation]:
    """The running program; its input is closed at the end, and `patience` seconds later it is killed."""
    talk = Conversation(receive, awaited)
    with held():
        try:
            talk.start(command)
            with let_through():
                yield talk
        finally:
            talk.hang_up(patience)
