"""The order of Alpine's versions (apk-package(5): number{.number}{letter}{_suffix{number}}{-r#}), as a sort key.

The rules are those of apk-tools 2 (Alpine up to 3.22), but for numbers of 18 digits and more, which it refuses and
which are numbers here. Where a version breaks the grammar, it is ordered by what it has up to there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum

from rootfs_kit.tree.packages.version_dpkg import digits_key

Token = tuple[int, tuple[int, str]]

_BEFORE_RELEASE = ("alpha", "beta", "pre", "rc")
_AFTER_RELEASE = ("cvs", "svn", "git", "hg", "p")
_DIGITS = re.compile(r"[0-9]*")
_ZEROS = re.compile(r"0*")


class Kind(IntEnum):
    """What a token is, in the order of the grammar: none may follow one of a later kind, but for _MAY_RETURN."""

    FRACTION = 0
    NUMBER = 1
    LETTER = 2
    SUFFIX = 3
    SUFFIX_NUMBER = 4
    REVISION = 5


_MAY_RETURN = {
    (Kind.NUMBER, Kind.FRACTION),
    (Kind.SUFFIX_NUMBER, Kind.SUFFIX),
    (Kind.LETTER, Kind.NUMBER),
}
# Where two versions differ in kind the later kind is the older version, and a pre-release is older than the end.
_PRE_RELEASE = 0
_END: Token = (1, (0, ""))
_RANK = {
    Kind.REVISION: 2,
    Kind.SUFFIX_NUMBER: 3,
    Kind.SUFFIX: 4,
    Kind.LETTER: 5,
    Kind.NUMBER: 6,
    Kind.FRACTION: 7,
}
_BROKEN: Token = (8, (0, ""))
_UNKNOWN_SUFFIX: Token = (_PRE_RELEASE, (-1, ""))


def apk_key(version: str) -> tuple[Token, ...]:
    """Keys compare as the versions do."""
    return tuple(_tokens(version))


def _tokens(text: str) -> Iterator[Token]:
    kind, position = Kind.NUMBER, 0
    while True:
        end, token = _read(kind, text, position)
        yield token
        if end == len(text):
            yield _END
            return
        following = None if token is _UNKNOWN_SUFFIX else _following(kind, text, position, end)
        if following is None:
            yield _BROKEN
            return
        kind, position = following


def _following(kind: Kind, text: str, position: int, end: int) -> tuple[Kind, int] | None:
    """The kind of the next token and where its value begins, or None where `text` breaks the grammar.

    The token before it is of `kind` and holds the text from `position` to `end`.
    """
    if kind is Kind.FRACTION and text[position] == "0":
        return Kind.NUMBER, end  # a leading zero makes a fraction of its own: 1.01 is older than 1.1
    following, start = _kind_at(kind, text, end)
    if following is None or (following < kind and (kind, following) not in _MAY_RETURN):
        return None
    return following, start


def _kind_at(kind: Kind, text: str, position: int) -> tuple[Kind | None, int]:
    character = text[position]
    if kind in (Kind.NUMBER, Kind.FRACTION) and "a" <= character <= "z":
        return Kind.LETTER, position
    if kind is Kind.LETTER and "0" <= character <= "9":
        return Kind.NUMBER, position
    if kind is Kind.SUFFIX and "0" <= character <= "9":
        return Kind.SUFFIX_NUMBER, position
    if character == ".":
        return Kind.FRACTION, position + 1
    if character == "_":
        return Kind.SUFFIX, position + 1
    return (Kind.REVISION, position + 2) if text.startswith("-r", position) else (None, position)


def _read(kind: Kind, text: str, position: int) -> tuple[int, Token]:
    """Where the token of `kind` at `position` ends, and the token."""
    if kind is Kind.LETTER:
        return position + 1, (_RANK[kind], (ord(text[position]), ""))
    if kind is Kind.SUFFIX:
        return _read_suffix(text, position)
    if kind is Kind.FRACTION and text.startswith("0", position):
        end = position + _length(_ZEROS, text, position) - 1
        return end, (_RANK[kind], (position - end, ""))
    end = position + _length(_DIGITS, text, position)
    return end, (_RANK[kind], digits_key(text[position:end]))


def _length(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() - position if match else 0


def _read_suffix(text: str, position: int) -> tuple[int, Token]:
    if position == len(text):
        return position, (_RANK[Kind.SUFFIX], (0, ""))
    for place, suffix in enumerate(_BEFORE_RELEASE):
        if text.startswith(suffix, position):
            return position + len(suffix), (_PRE_RELEASE, (place - len(_BEFORE_RELEASE), ""))
    for place, suffix in enumerate(_AFTER_RELEASE):
        if text.startswith(suffix, position):
            return position + len(suffix), (_RANK[Kind.SUFFIX], (place, ""))
    return position, _UNKNOWN_SUFFIX
