"""A limit to the processor time of one check: a rootfs can be made so that an honest question takes for ever to answer.

What is known to grow is bounded where it grows. This is for the rest: a pattern of the expectations that goes
through its text again and again, links of links of links. Only time that the process works counts, so that a busy
machine does not make a good rootfs unknown.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rootfs_kit.errors import CouldNotLook

SECONDS = 30.0
AGAIN = 1.0
"""Seconds after which it is said again, where a handler on the way took the first for an error of its own."""


@contextmanager
def patience(doing: str, seconds: float = SECONDS) -> Iterator[None]:
    """Raise CouldNotLook inside the block once it has taken `seconds` of processor time.

    Signals reach the main thread only, and SIGPROF may be a profiler's: in those cases there is no limit.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGPROF) != signal.SIG_DFL:
        yield
        return

    def give_up(number: int, frame: FrameType | None) -> None:
        raise CouldNotLook(
            doing,
            f"it took more than {seconds:g} seconds of processor time",
            "Look for what makes this rootfs so large or so tangled; no guest needs as much.",
        )

    signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
