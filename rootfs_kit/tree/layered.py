"""One rootfs laid over another, as tar(1) unpacks it there: what an overlay makes of its base, without doing it."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from typing import BinaryIO

from rootfs_kit.tree.entry import Entry
from rootfs_kit.tree.index import Index, Row
from rootfs_kit.tree.paths import basename, join, parent
from rootfs_kit.tree.source import Source


class LayeredSource:
    """Reads each path from `upper` where that has it, and from `base` everywhere else."""

    def __init__(self, base: Source, upper: Source) -> None:
        self._base = base
        self._upper = upper
        self._upper_index = Index(_NO_ROW)

    @property
    def kind(self) -> str:
        return f"{self._upper.kind} over {self._base.kind}"

    @property
    def unreadable_hint(self) -> str:
        return self._upper.unreadable_hint

    def lookup(self) -> Index:
        return self.scan()

    def scan(self) -> Index:
        """Both indexes as one. A directory of `upper` gives its mode and owner to that of the base."""
        base, upper = self._base.scan(), self._upper.scan()
        self._upper_index = upper
        merged = Index(upper.root)
        merged.directories = dict(base.directories)
        merged.unreadable = {**base.unreadable, **upper.unreadable}
        merged.lost = {**base.lost, **upper.lost}
        for path in sorted(upper.directories):  # a directory comes before what is in it
            rows = upper.directories[path]
            _drop_what_is_replaced(merged, path, rows)
            merged.directories[path] = {**merged.directories.get(path, {}), **rows}
        return merged

    def open(self, entry: Entry) -> BinaryIO:
        return self._source_of(entry).open(entry)

    def xattrs(self, entry: Entry) -> Mapping[str, bytes]:
        return self._source_of(entry).xattrs(entry)

    def _source_of(self, entry: Entry) -> Source:
        is_above = entry.path == "/" or self._upper_index.look(parent(entry.path), basename(entry.path)) is not None
        return self._upper if is_above else self._base


_NO_ROW: Row = (0, 0, 0, 0, 0.0, None)


def _drop_what_is_replaced(merged: Index, path: str, rows: Mapping[str, Row]) -> None:
    """What was in a directory goes where a file or a link takes its place."""
    for name, row in rows.items():
        child = join(path, name)
        if child in merged.directories and not stat.S_ISDIR(row[0]):
            below = f"{child}/"
            for gone in [one for one in merged.directories if one == child or one.startswith(below)]:
                del merged.directories[gone]
