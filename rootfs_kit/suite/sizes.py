"""Sizes as people write them: bytes, or a number with a unit."""

from __future__ import annotations

import re

SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)\s*([A-Za-z]*)", re.ASCII)
UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
EXAMPLE = 'a number of bytes, or a size such as "300 MiB"'


def parse_size(text: str) -> int | None:
    """The bytes that `text` names; None where it names no size."""
    match = SIZE.fullmatch(text)
    if match is None or match[2] not in UNITS:
        return None
    return int(float(match[1]) * UNITS[match[2]])
