"""Signals that end a build: each becomes one exception, so that clean-up is the language's job.

An exception out of nowhere is as bad for clean-up as for anything else, so there are stretches in which a signal
waits: while a resource is taken or let go, while a program is started, while a tree is put in place.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal asked the build to end; `exit_code` is what a shell expects then (128 + the signal's number)."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = 128 + signum


class Interruptions:
    """What arrived so far. The first signal raises; later ones are ignored, so that clean-up is not cut short."""

    def __init__(self) -> None:
        self.first: Interrupted | None = None
        self.are_held = False

    def receive(self, signum: int, frame: FrameType | None) -> None:
        if self.first is None:
            self.first = Interrupted(signum)
            if not self.are_held:
                raise self.first

    def raise_if_any(self) -> None:
        """Raise what arrived, where it waits, or where code in between swallowed it. Raises Interrupted.

        Python prints and drops an exception that is raised in a callback (a finaliser, an at-fork handler).
        """
        if self.first is not None:
            raise self.first


_current = Interruptions()
"""Signal handlers are the process's, and so is what they received."""


@contextmanager
def interruptible() -> Iterator[Interruptions]:
    """Inside, the first SIGINT, SIGTERM or SIGHUP raises Interrupted, and those after it are ignored.

    Works in the main thread only, as signal handlers do.
    """
    global _current
    outer, _current = _current, Interruptions()
    before = {number: signal.signal(number, _current.receive) for number in SIGNALS}
    try:
        yield _current
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _current = outer


def ignore_signals() -> None:
    """For a process that is about to end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def held() -> Iterator[None]:
    """Inside, a signal waits until the end; one that waits already, or got lost on the way, is raised before."""
    interruptions, outer = _current, _current.are_held
    if not outer:
        interruptions.raise_if_any()
    interruptions.are_held = True
    try:
        yield
    finally:
        interruptions.are_held = outer
    if not outer:
        interruptions.raise_if_any()


@contextmanager
def let_through() -> Iterator[None]:
    """Inside of `held`: a stretch in which signals raise again, those that waited at once."""
    interruptions, outer = _current, _current.are_held
    interruptions.are_held = False
    try:
        interruptions.raise_if_any()
        yield
    finally:
        interruptions.are_held = outer
