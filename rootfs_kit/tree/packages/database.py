"""How a database file is fetched from a tree, and the one sentence for one that is there and cannot be trusted.

A damaged database is never the same as "not installed": whoever asks gets CouldNotLook, and nothing else does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree.paths import shown

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

MAX_SIZE = 512 * 1024 * 1024
"""Bytes. A full desktop's database is about a third of this; more is no guest's, and is not read into memory."""

MAX_TEXT = 64 * 1024 * 1024
"""Bytes. The same for a database of text, of which every line becomes an object."""

EXCERPT = 60
LONGEST_NUMBER = 18


def read_database(tree: RootfsTree, path: str, max_size: int = MAX_SIZE) -> bytes | None:
    """The content of the file at `path`, None where nothing is. Raises CouldNotLook for all else."""
    resolution = tree.resolve(path)
    if resolution.entry is None:
        if resolution.problem == "loop":
            raise damaged(path, "the symlinks on the way to it go round in a loop")
        return None
    if resolution.entry.size > max_size:
        raise damaged(path, f"it has {resolution.entry.size} bytes, more than the {max_size} that are ever read")
    return tree.read_bytes(path, max_size)


def damaged(path: str, found: str) -> CouldNotLook:
    """The error for the database at `path`; `found` is a clause that says where in it and what."""
    return CouldNotLook(
        f"reading the package database {shown(path)}",
        found,
        "So nothing can be said of the packages of this rootfs: build it again, or restore that file.",
    )


def excerpt(text: str | bytes) -> str:
    """As much of hostile `text` as a message may quote, with everything that a terminal would act on escaped."""
    return ascii(text if len(text) <= EXCERPT else text[:EXCERPT])


def text_lines(data: bytes, path: str) -> list[str]:
    """The lines of a text database. Raises CouldNotLook for NUL bytes and for a last line without an end.

    Both are what a crash leaves behind: blocks that were allocated and not written, and a file that was cut.
    """
    nul = data.find(b"\0")
    if nul >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise damaged(path, f"line {line} holds NUL bytes, as a file has after a crash")
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if lines.pop():
        raise damaged(path, f"line {len(lines) + 1} has no end: the file was cut short")
    return lines


def number_or_none(text: str) -> int | None:
    """The decimal number that `text` is. A size that makes no sense is unknown; it does not spoil a database."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else None
