"""Builds of Alpine from beginning to end, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from tests.build.builds import Outcome
from tests.support.agents import stand_in_agent
from tests.support.alpine_mirror import AlpineMirror, describe_distro
from tests.support.surroundings import clean_environment

SECONDS = 180


@dataclass(frozen=True)
class Alpine:
    """A mirror on disk, its address when it is served, and what a build with it needs.

    `programs` is a directory for PATH with the minirootfs's apk, or None for a host without one.
    """

    mirror: AlpineMirror
    url: str
    distros: Path
    cache: Path
    programs: Path | None

    def without_apk(self) -> Alpine:
        return replace(self, programs=None)

    def described(self, directory: Path, *replacements: tuple[str, str]) -> Alpine:
        """The same with a description that is changed."""
        distros = describe_distro(directory, self.mirror)
        place = distros / "alpine/distro.toml"
        text = place.read_text()
        for old, new in replacements:
            assert old in text, old
            text = text.replace(old, new)
        place.write_text(text)
        return replace(self, distros=distros)

    def build(self, target: Path, *more: str, before: tuple[str, ...] = (), **environ: str) -> Outcome:
        """A build at `target`; of an option that is given twice, the last counts."""
        return self.run(
            *before, sys.executable, "-m", "rootfs_kit", "build", "alpine", "--agent-init", "--distros-dir",
            str(self.distros), *(("--mirror", self.url) if self.url else ()), "--agent-bin", str(stand_in_agent()),
            "--rootfs-dir", str(target), *more, cwd=target.parent, **environ,
        )  # fmt: skip

    def run(self, *argv: str, cwd: Path, **environ: str) -> Outcome:
        path = os.environ["PATH"] if self.programs is None else f"{self.programs}:{os.environ['PATH']}"
        done = subprocess.run(
            argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="surrogateescape",
            env={**clean_environment(), "PATH": path, "XDG_CACHE_HOME": str(self.cache), **environ}, timeout=SECONDS,
            check=False,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)


def host_has_apk() -> bool:
    return shutil.which("apk") is not None
