"""How a build looks to whoever watches: a progress bar on a terminal, plain lines in CI, silence under -q.

All of it goes to standard error; standard output belongs to the result.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TextIO

from rootfs_kit.monitor import Monitor, SilentMonitor
from rootfs_kit.tree.paths import shown

BAR = 24
SETTLE = 0.05
"""Seconds between two drawings of the bar."""


def choose_monitor(verbosity: int, stream: TextIO) -> Monitor:
    """The monitor for `stream`; `verbosity` is -1 for -q, 0, or the number of -v."""
    if verbosity < 0:
        return QuietMonitor(stream)
    if verbosity == 0 and stream.isatty():
        return BarMonitor(stream)
    return LineMonitor(stream, details=verbosity > 0)


class QuietMonitor(SilentMonitor):
    """Says only what must not be missed."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def warn(self, line: str, *more: str) -> None:
        self._say(f"warning: {line}")
        for each in more:
            self._say(f"  {each}")

    def _say(self, line: str) -> None:
        self._put(f"{shown(line)}\n")

    def _put(self, text: str) -> None:
        """Write at once. A terminal that was closed meanwhile is no reason to end the build untidily."""
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()


class LineMonitor(QuietMonitor):
    """One line for each stage, with its time when it is done; for logs, and for -v."""

    def __init__(self, stream: TextIO, details: bool) -> None:
        super().__init__(stream)
        self._details = details

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        self._say(f"{title} …")
        with super().stage(title):
            yield
        self._say(f"{title}: {self.timings[-1][1]:.1f} s")

    def note(self, line: str) -> None:
        self._say(line)

    def detail(self, line: str) -> None:
        if self._details:
            self._say(f"  {line}")


class BarMonitor(QuietMonitor):
    """One line that is drawn over and over, and replaced by the stage's time when it is done."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._title = ""
        self._fraction = 0.0
        self._what = ""
        self._drawn = 0.0

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        self._title, self._fraction, self._what = title, 0.0, ""
        self._draw()
        try:
            with super().stage(title):
                yield
        except BaseException:
            self._erase()
            self._title = ""
            raise
        self._erase()
        self._title = ""
        self._say(f"✓ {title:<40} {self.timings[-1][1]:6.1f} s")

    def progress(self, fraction: float, what: str = "") -> None:
        self._fraction, self._what = fraction, what
        self._draw()

    def detail(self, line: str) -> None:
        if self._title and monotonic() - self._drawn > SETTLE:
            self._draw()

    def note(self, line: str) -> None:
        self._erase()
        self._say(line)

    def warn(self, line: str, *more: str) -> None:
        self._erase()
        super().warn(line, *more)

    def _draw(self) -> None:
        self._drawn = monotonic()
        done = round(self._fraction * BAR)
        bar = "━" * done + "─" * (BAR - done)
        text = f"  {self._title} {bar} {self._fraction:4.0%}  {shown(self._what)}"
        self._put(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")

    def _erase(self) -> None:
        self._put("\r\x1b[K")
