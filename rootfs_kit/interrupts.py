"""Signals that end a build: each becomes one exception, so that clean-up is the language's job."""

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

    def receive(self, signum: int, frame: FrameType | None) -> None:
        if self.first is None:
            self.first = Interrupted(signum)
            raise self.first

    def raise_if_any(self) -> None:
        """Raise what arrived, where a library in between may have swallowed it (pytest does). Raises Interrupted."""
        if self.first is not None:
            raise self.first


@contextmanager
def interruptible() -> Iterator[Interruptions]:
    """Inside, the first SIGINT, SIGTERM or SIGHUP raises Interrupted, and those after it are ignored.

    Works in the main thread only, as signal handlers do.
    """
    interruptions = Interruptions()
    before = {number: signal.signal(number, interruptions.receive) for number in SIGNALS}
    try:
        yield interruptions
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
