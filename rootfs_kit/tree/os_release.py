"""os-release(5): which distribution a rootfs is, in its own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

PLACES = ("/etc/os-release", "/usr/lib/os-release")
LIMIT = 1024 * 1024

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_PIECE = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)""")
_ESCAPED = re.compile(r'\\(["$\\`])')


def read_os_release(tree: RootfsTree) -> Mapping[str, str]:
    """The variables of the file that counts, /etc's before /usr/lib's; empty where there is neither.

    Raises CouldNotLook for a file that cannot be read.
    """
    for path in PLACES:
        if tree.exists(path):
            return MappingProxyType(parse_os_release(tree.read_bytes(path, LIMIT)))
    return MappingProxyType({})


def parse_os_release(data: bytes) -> dict[str, str]:
    """The assignments in `data`, the last of a name counting. A line that is none is passed over, as readers do."""
    found: dict[str, str] = {}
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        match = _ASSIGNMENT.fullmatch(line.strip())
        value = _unquoted(match[2]) if match else None
        if match and value is not None:
            found[match[1]] = value
    return found


def _unquoted(text: str) -> str | None:
    """The value that a shell would assign, without substitutions; None where a quote is left open."""
    position = 0
    pieces: list[str] = []
    while piece := _PIECE.match(text, position):
        single, double, escaped, plain = piece.groups()
        pieces.append(_ESCAPED.sub(r"\1", double) if double is not None else single or escaped or plain or "")
        position = piece.end()
    rest = text[position:]
    return None if rest and not rest[0].isspace() else "".join(pieces)
