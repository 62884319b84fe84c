"""Builds from the mirrors in miniature."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rootfs_kit.engines import Workbench
from rootfs_kit.monitor import SilentMonitor
from rootfs_kit.run import build_log
from tests.build.builds import Mirror
from tests.support.rpm_repository import Key, index

FOREIGN = "aarch64" if os.uname().machine != "aarch64" else "x86_64"
"""A machine that this one is not."""


@dataclass(frozen=True)
class RpmMirror(Mirror):
    """A mirror of one release, as it is served: its own command line, and where its files are."""

    distro: str = ""
    version: str = ""
    directory: Path = Path()
    repository: Path = Path()
    key: Key | None = None

    def arguments(self, target: Path, *more: str) -> list[str]:
        line = super().arguments(target, "--os-version", self.version, *more)
        line[line.index("debian")] = self.distro
        return line

    def copy(self) -> RpmMirror:
        """The same at another address, to be changed."""
        place = Path(tempfile.mkdtemp(dir=self.directory.parent))
        shutil.copytree(self.directory, place, dirs_exist_ok=True)
        repository = place / self.repository.relative_to(self.directory)
        return replace(self, directory=place, repository=repository, url=f"{self.url.rpartition('/')[0]}/{place.name}")

    @property
    def index(self) -> Path:
        return self.repository / "repodata/repomd.xml"

    def package(self, name: str) -> Path:
        return next(self.repository.glob(f"{name}-1*.rpm"))

    def index_anew(self) -> None:
        """Write the index of the packages as they now are, signed where the distribution's is."""
        signed = self.index.with_name("repomd.xml.asc").exists()
        index(self.repository, self.key if signed else None)


@contextmanager
def bench_in(directory: Path) -> Iterator[Workbench]:
    """What an engine works with, for one filling of `directory`/tree."""
    scratch = directory / "scratch"
    scratch.mkdir()
    with build_log(directory / "log", "test") as log:
        yield Workbench(directory / "tree", scratch, directory / "cache", SilentMonitor(), log)
