"""Sound files with a little damage, for hypothesis: they get further into a parser than noise does."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st

NUMBERS = st.sampled_from([0, 1, 2, 3, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFF, 16, 4096]).flatmap(
    lambda number: st.sampled_from([struct.pack("<I", number), struct.pack(">I", number)])
)


@st.composite
def damaged(draw: Any, valid: bytes) -> bytes:
    """`valid` with a few bytes overwritten, a part copied elsewhere, or its end cut off."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(data)))
        data[place : place + 4] = draw(st.one_of(st.binary(max_size=8), NUMBERS))
    if draw(st.booleans()):
        start, to = draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))
        data[to : to + 64] = data[start : start + 64]
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@st.composite
def damaged_text(draw: Any, valid: str) -> str:
    """`valid` with lines left out, doubled or swapped, and here and there other words and signs."""
    lines = valid.splitlines()
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, max(0, len(lines) - 1)))
        kind = draw(st.sampled_from(["drop", "double", "swap", "value", "insert", "cut"]))
        line = lines[place] if lines else ""
        if kind == "drop":
            del lines[place : place + 1]
        elif kind == "double":
            lines.insert(place, line)
        elif kind == "swap":
            lines[place : place + 2] = reversed(lines[place : place + 2])
        elif kind == "value":
            lines[place : place + 1] = [line.partition("=")[0] + "= " + draw(VALUES)]
        elif kind == "insert":
            at = draw(st.integers(0, len(line)))
            lines[place : place + 1] = [line[:at] + draw(st.text(max_size=6)) + line[at:]]
        else:
            lines[place : place + 1] = [line[: draw(st.integers(0, len(line)))]]
    return "\n".join(lines) + "\n"


VALUES = st.sampled_from([
    "0", "-1", "1e400", "inf", "nan", "true", "[]", "{}", '""', '"x"', "[[]]", "[1, 'a']", '["a", ""]', "{a = 1}",
    "1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", "9" * 5000, '"9' + "9" * 400 + ' GiB"', '"\\u0000"', "'''a\nb'''",
    "0x" + "f" * 2000, '">= 1, < 2"', '"absent"', '"none"', '"systemd,agent-init"', '"0777777"', '"(a"', '"1:1"',
    "[" * 400 + "]" * 400, '"' + "a" * 3000 + '"', '"\\ud800"',
])  # fmt: skip
