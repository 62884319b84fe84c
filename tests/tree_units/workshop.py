"""Made trees of systemd units, and what the host's own systemd says of them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.units import Closure, Unit, find_unit, requirement_closure

ETC, RUN, LIB = "etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system"
START_REFUSED = re.compile(r"Failed to create \S+/start: Unit (\S+) (not found|is masked)")
BAD_COMMAND = re.compile(r"Command (\S+) is not executable")


class Units:
    """A root with nothing in it but sysinit.target, which every service needs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("sysinit.target", "[Unit]\nDescription=made\n")

    def write(self, name: str, text: str, where: str = LIB) -> None:
        place = self.root / where / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def link(self, name: str, target: str, where: str = ETC) -> None:
        place = self.root / where / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def find(self, name: str) -> Unit | None:
        return find_unit(open_rootfs(self.root), name)

    def unit(self, name: str) -> Unit:
        unit = self.find(name)
        assert unit is not None
        return unit

    def closure(self, name: str) -> Closure:
        return requirement_closure(open_rootfs(self.root), name)

    def systemd_refuses(self, name: str) -> tuple[str, str] | None:
        """The unit for which the host's systemd will not start `name`, and its reason; None where it would."""
        found = START_REFUSED.search(self._verify(name))
        return (found[1], found[2]) if found else None

    def systemd_misses(self, name: str) -> set[str]:
        """The commands of `name` that the host's systemd finds not executable."""
        return set(BAD_COMMAND.findall(self._verify(name)))

    def systemd_complains(self, name: str) -> list[int]:
        """The numbers of the lines that the host's systemd ignores."""
        numbers = re.findall(rf"/{re.escape(name)}:(\d+): ", self._verify(name))
        return sorted({int(number) for number in numbers})

    def _verify(self, name: str) -> str:
        command = ["systemd-analyze", f"--root={self.root}", "--man=no", "verify", name]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, check=False, cwd=self.root
        )
        return done.stderr
