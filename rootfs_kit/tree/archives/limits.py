"""What an archive may cost before it is refused: an archive of a stranger may be a bomb.

Nothing here is about what a rootfs should weigh. The bounds keep the host's disk and memory, and are far above what
any guest needs.
"""

from __future__ import annotations

from dataclasses import dataclass

from rootfs_kit.errors import BadArchive
from rootfs_kit.spelling import spelt

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True)
class Limits:
    """`unpacked` is in bytes, of all that is decompressed; `ratio` how many times larger than the compressed stream
    it may be once it passes `ratio_from`; `entries` and `records` (bytes of names, link texts, attributes and maps of
    sparse files) bound what is kept in memory."""

    unpacked: int = 16 * GIB
    ratio: int = 200
    ratio_from: int = GIB
    entries: int = 2_000_000
    records: int = 256 * MIB


DEFAULT_LIMITS = Limits()


class Budget:
    """How much of the limits one archive has used up. Its methods raise BadArchive when that is too much."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self._entries = 0
        self._records = 0
        self._unpacked = 0

    def spend_entry(self, text: int) -> None:
        """One more entry, with `text` bytes of name and link."""
        self._entries += 1
        self.spend_records(text)
        if self._entries > self.limits.entries:
            raise BadArchive(
                f"reading {self.name}",
                f"it has more than {self.limits.entries} entries",
                "A guest's rootfs has some ten thousand; is it the right archive?",
            )

    def spend_records(self, size: int) -> None:
        """`size` more bytes of names and the like are kept."""
        self._records += size
        if self._records > self.limits.records:
            raise BadArchive(
                f"reading {self.name}",
                f"its names, links and attributes take more than {self.limits.records // MIB} MiB",
                "No rootfs is like that; is it the right archive?",
            )

    def spend_unpacked(self, size: int) -> None:
        """`size` more bytes were decompressed."""
        self._unpacked += size
        if self._unpacked > self.limits.unpacked:
            raise BadArchive(
                f"decompressing {self.name}",
                f"it unpacks to more than {self.limits.unpacked / GIB:g} GiB",
                f"Allow more with {spelt('max-size')}, if that is meant.",
            )

    def check_ratio(self, compressed: int, unpacked: int) -> None:
        """One stream became `unpacked` bytes from `compressed` so far."""
        if unpacked > self.limits.ratio_from and unpacked > self.limits.ratio * compressed:
            raise BadArchive(
                f"decompressing {self.name}",
                f"{compressed} bytes of it have become more than {unpacked // MIB} MiB: it is made to fill disks",
                "If it is meant, decompress it yourself and judge what comes out.",
            )
