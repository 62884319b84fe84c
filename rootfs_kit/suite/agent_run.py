"""Asks the agent itself for its version: the one thing in the suite that starts a program of the rootfs.

Only where somebody asked for it (`--run-agent`), and only where the kernel here can run it.
"""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.suite.confined import NOT_CONFINED, TIME_IS_OVER
from rootfs_kit.tree import RootfsTree

SECONDS = 5
TO_CONFINE = 10
"""Seconds that making the namespaces may take besides; the agent itself has SECONDS, and a status says so."""
# src/agent/src/main.rs:331
ANSWER = re.compile(
    r"kata-agent version (?P<version>\S+) \(api version: (?P<api>[^,]+), commit version: (?P<commit>[^,]*), "
    r"type: (?P<type>[^,]+), extra-features: \[(?P<features>[^\]]*)\]\)"
)


class AgentAnswer(NamedTuple):
    """What `kata-agent --version` came to. `version` is None where that is not how it answers."""

    status: int
    text: str
    version: str | None = None
    features: tuple[str, ...] = ()

    @property
    def took_too_long(self) -> bool:
        return self.status == TIME_IS_OVER


@lru_cache(maxsize=8)
def ask_agent(tree: RootfsTree, path: str) -> AgentAnswer:
    """Run the program at guest path `path` with --version, confined, for at most SECONDS.

    Raises CouldNotLook for a rootfs that is no directory, an agent of another machine, and a host without namespaces.
    """
    from rootfs_kit.backends import Command
    from rootfs_kit.talk import ask

    doing = f"starting {path} --version"
    if tree.source_kind != "directory":
        raise CouldNotLook(doing, "the rootfs is an archive", "Unpack it and judge the directory.")
    machine = tree.elf(path).machine
    if machine != os.uname().machine:
        found = f"it is a program for {machine}, and this machine is {os.uname().machine}"
        raise CouldNotLook(doing, found, f"Run the check on a machine of the kind {machine}.")
    module = ("-m", "rootfs_kit.suite.confined", str(SECONDS), str(Path(tree.name).absolute()))
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    said = ask(Command((sys.executable, *module, path, "--version"), environment), SECONDS + TO_CONFINE)
    text = "\n".join(part.strip() for part in (said.out.decode(errors="replace"), said.err) if part.strip())
    if said.status == NOT_CONFINED:
        raise CouldNotLook(doing, text, "Run the check as root, or where user namespaces are allowed.")
    answer = ANSWER.search(text)
    if answer is None:
        return AgentAnswer(said.status, text)
    features = tuple(word.strip().strip('"') for word in answer["features"].split(",") if word.strip())
    return AgentAnswer(said.status, text, answer["version"], features)
