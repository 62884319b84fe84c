"""The order of Debian's versions (Debian policy 5.6.12, deb-version(7)), as a sort key."""

from __future__ import annotations

import re

Digits = tuple[int, str]
Part = tuple[tuple[tuple[int, ...], Digits], ...]
DpkgKey = tuple[Digits, Part, Part]

_PAIR = re.compile(r"([^0-9]*)([0-9]*)")
_ZERO: Digits = (0, "")
_NOTHING_MORE = ((0,), _ZERO)


def dpkg_key(version: str) -> DpkgKey:
    """Keys compare as the versions do. A version whose epoch is no number is taken to have none."""
    epoch, upstream = _split_epoch(version.strip())
    upstream, _, revision = upstream.rpartition("-") if "-" in upstream else (upstream, "", "")
    return digits_key(epoch), _part_key(upstream), _part_key(revision)


def digits_key(digits: str) -> Digits:
    """Decimal digits by value. Not int(): that is quadratic, and refuses more than 4300 of them."""
    significant = digits.lstrip("0")
    return len(significant), significant


def _split_epoch(version: str) -> tuple[str, str]:
    epoch, colon, rest = version.partition(":")
    if colon and epoch.isascii() and epoch.isdecimal():
        return epoch, rest
    return "", version


def _part_key(part: str) -> Part:
    # No part sorts as "0" does: 1.0 and 1.0-0 are the same version.
    pairs = [(_text_key(text), digits_key(digits)) for text, digits in _PAIR.findall(part or "0") if text or digits]
    return (*pairs, _NOTHING_MORE)


def _text_key(text: str) -> tuple[int, ...]:
    return (*map(_character_key, text), 0)


def _character_key(character: str) -> int:
    """A tilde before the end of the part (0), the end before letters, letters before everything else."""
    if character == "~":
        return -1
    return ord(character) if character.isascii() and character.isalpha() else ord(character) + 256
