"""What a build tells about itself while it runs, and to whom.

The pipeline speaks to one `Monitor`; nothing prints from the middle of the work. How it looks (a progress bar on a
terminal, plain lines in CI, nothing at all under `-q`) is decided once, at the edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Monitor(Protocol):
    """What the pipeline may say."""

    def stage(self, title: str) -> AbstractContextManager[None]:
        """Everything inside the `with` belongs to the stage `title`; its wall time is kept, in seconds."""
        ...

    def progress(self, fraction: float, what: str = "") -> None:
        """The running stage is `fraction` (0 to 1) done, and is now at `what`."""
        ...

    def detail(self, line: str) -> None:
        """One line that only an inquisitive user wants (`-v`, the log file)."""
        ...

    def note(self, line: str) -> None:
        """One line that every user should see, unless `-q`."""
        ...

    def warn(self, line: str, *more: str) -> None:
        """One line that the user must not miss, and any that belong to it; shown even under `-q`."""
        ...

    @property
    def timings(self) -> tuple[tuple[str, float], ...]:
        """The stages that ended, in order, with their wall time in seconds."""
        ...


class SilentMonitor:
    """Keeps the timings and says nothing: for callers from Python, and the base of the others."""

    def __init__(self) -> None:
        self._timings: list[tuple[str, float]] = []

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        from time import monotonic

        begun = monotonic()
        yield
        self._timings.append((title, monotonic() - begun))

    def progress(self, fraction: float, what: str = "") -> None: ...

    def detail(self, line: str) -> None: ...

    def note(self, line: str) -> None: ...

    def warn(self, line: str, *more: str) -> None: ...

    @property
    def timings(self) -> tuple[tuple[str, float], ...]:
        return tuple(self._timings)
