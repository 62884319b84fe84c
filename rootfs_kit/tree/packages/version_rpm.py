"""The order of rpm's versions (rpm-version(7): epochs, `~` before and `^` after the bare version), as a sort key."""

from __future__ import annotations

import re

from rootfs_kit.tree.packages.version_dpkg import digits_key

Segment = tuple[int, int, str]
Segments = tuple[Segment, ...]

_SEGMENT = re.compile(r"~|\^|[0-9]+|[A-Za-z]+")
_EPOCH = re.compile(r"[0-9]*:")
_TILDE: Segment = (0, 0, "")
_END: Segment = (1, 0, "")
_CARET: Segment = (2, 0, "")
_LETTERS = 3
_NUMBER = 4


def rpm_key(version: str) -> tuple[Segments, Segments, Segments]:
    """Keys of [epoch:]version[-release] compare as the versions do; none is older than any release."""
    epoch, bare, release = split_evr(version)
    return _segments(epoch), _segments(bare), () if release is None else _segments(release)


def compare_rpm_dependency(version: str, bound: str) -> int:
    """-1, 0 or 1 for an installed `version` against the `bound` of a dependency, whose release may be left open."""
    installed, wanted = rpm_key(version), rpm_key(bound)
    if not (split_evr(version)[2] and split_evr(bound)[2]):
        installed, wanted = (*installed[:2], ()), (*wanted[:2], ())
    return (installed > wanted) - (installed < wanted)


def split_evr(version: str) -> tuple[str, str, str | None]:
    """(epoch, version, release); epoch is "0" and release None where there is none."""
    match = _EPOCH.match(version)
    epoch, rest = (version[: match.end() - 1] or "0", version[match.end() :]) if match else ("0", version)
    bare, dash, release = rest.rpartition("-")
    return (epoch, bare, release) if dash else (epoch, rest, None)


def _segments(text: str) -> Segments:
    return (*map(_segment, _SEGMENT.findall(text)), _END)


def _segment(text: str) -> Segment:
    if text == "~":
        return _TILDE
    if text == "^":
        return _CARET
    return (_NUMBER, *digits_key(text)) if text[0].isdigit() else (_LETTERS, 0, text)
