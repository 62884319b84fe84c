"""Builds from the mirrors in miniature."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.build.builds import Mirror
from tests.support.rpm_repository import Key


@dataclass(frozen=True)
class RpmMirror(Mirror):
    """A mirror of one release, as it is served: its own command line, and where its files are."""

    distro: str = ""
    version: str = ""
    directory: Path = Path()
    repositories: tuple[Path, ...] = ()
    key: Key | None = None

    def arguments(self, target: Path, *more: str) -> list[str]:
        line = super().arguments(target, "--os-version", self.version, *more)
        line[line.index("debian")] = self.distro
        return line
