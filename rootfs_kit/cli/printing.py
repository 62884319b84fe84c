"""Text on its way to a terminal: what came from file names and tools must not steer it."""

from __future__ import annotations

import sys


def printable(text: str) -> str:
    """`text` with every control character but newline and tab, and every undecodable byte, written out in ASCII."""
    return "".join(char if char in "\n\t" or char.isprintable() else _written_out(char) for char in text)


def never_fail_to_print() -> None:
    """Let the standard streams write out what their encoding does not know, rather than raise UnicodeEncodeError."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _written_out(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
