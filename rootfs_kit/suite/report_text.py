"""A result as pytest shows it: in the FAILURES section, in one line of the summary, and in JUnit's message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Crash(NamedTuple):
    """What pytest takes the one line of a failure from."""

    message: str


class ResultText:
    """Stands in a report where pytest puts a traceback; it has the methods that pytest asks of one."""

    def __init__(self, headline: str, lines: Sequence[str]) -> None:
        self.reprcrash = Crash(headline)
        self.lines = list(lines)

    def toterminal(self, writer: Any) -> None:
        for line in self.lines:
            writer.line(line, red=_names_a_path(line))

    def __str__(self) -> str:
        return "\n".join(self.lines)


def _names_a_path(line: str) -> bool:
    return line.startswith("  /")
