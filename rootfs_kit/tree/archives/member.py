"""One member of an archive, as it was recorded, whatever the archive's format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Piece = tuple[int, int]
"""Logical offset and length of a run of data in a sparse file."""


class Member(NamedTuple):
    """`name` is as in the archive, undecoded bytes as surrogates; `mode` holds the kind and the permissions
    (st_mode); `size` and the numbers of `pieces` are in bytes.

    `link` is a symlink's text, or a hard link's target where `is_hard_link`; `position` says where the content
    begins (see `media`); `pieces` is there for a sparse file, whose runs of data follow each other from `position` on.
    """

    name: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: float
    position: int
    link: str | None = None
    is_hard_link: bool = False
    device: tuple[int, int] | None = None
    xattrs: Mapping[str, bytes] | None = None
    pieces: tuple[Piece, ...] | None = None
