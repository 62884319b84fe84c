"""The order of pacman's versions (vercmp(8)).

It is rpm's older rule with two of its own: a longer run of separators is the newer, and what is left over at the
end is older when it begins with a letter (1.0rc1 before 1.0).
"""

from __future__ import annotations

import re
from typing import TypeVar

from rootfs_kit.tree.packages.version_dpkg import digits_key
from rootfs_kit.tree.packages.version_rpm import split_evr

Ordered = TypeVar("Ordered", int, str, tuple[int, str])

_SEPARATORS = re.compile(r"[^0-9A-Za-z]*")
_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+")


def compare_alpm(a: str, b: str) -> int:
    """-1, 0 or 1. Releases count only where both versions have one."""
    epoch_a, bare_a, release_a = split_evr(a)
    epoch_b, bare_b, release_b = split_evr(b)
    order = _compare_text(epoch_a, epoch_b) or _compare_text(bare_a, bare_b)
    if order or release_a is None or release_b is None:
        return order
    return _compare_text(release_a, release_b)


def _compare_text(a: str, b: str) -> int:
    at, bt = 0, 0
    while at < len(a) and bt < len(b):
        separators_a, separators_b = _match(_SEPARATORS, a, at), _match(_SEPARATORS, b, bt)
        at, bt = at + len(separators_a), bt + len(separators_b)
        if at == len(a) or bt == len(b):
            break
        segment_a, segment_b = _match(_SEGMENT, a, at), _match(_SEGMENT, b, bt)
        order = _sign(len(separators_a), len(separators_b)) or _compare_segments(segment_a, segment_b)
        if order:
            return order
        at, bt = at + len(segment_a), bt + len(segment_b)
    return _compare_leftovers(a[at:], b[bt:])


def _compare_segments(a: str, b: str) -> int:
    """Numbers by value, letters by code, and a number is newer than letters."""
    if a[0].isdigit() and b[0].isdigit():
        return _sign(digits_key(a), digits_key(b))
    if a[0].isdigit() or b[0].isdigit():
        return 1 if a[0].isdigit() else -1
    return _sign(a, b)


def _compare_leftovers(a: str, b: str) -> int:
    """At least one of the two is at its end."""
    if not a and not b:
        return 0
    if a:
        return -1 if _is_letter(a[0]) else 1
    return 1 if _is_letter(b[0]) else -1


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _match(pattern: re.Pattern[str], text: str, position: int) -> str:
    match = pattern.match(text, position)
    return match[0] if match else ""


def _sign(a: Ordered, b: Ordered) -> int:
    return (a > b) - (a < b)
