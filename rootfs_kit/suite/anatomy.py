"""Where the parts of a Kata guest are in a tree: the agent, and the program that the kernel starts as init.

These are questions that several checks and the profile detection ask; each answer is looked up once per tree.
Nothing here judges: a tree without an agent is an answer, not a failure.
"""

from __future__ import annotations

import json
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree import RootfsFile, RootfsTree
from rootfs_kit.tree.agent_identity import AgentIdentity, identify_agent

MANIFEST = "/var/lib/osbuilder/manifest.json"
AGENT_DIRECTORIES = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")
SYSTEMD_PATHS = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
INIT = "/sbin/init"
SYSTEMD_MARKS = (b"systemd.show_status", b"systemd.crash_shell")
"""Options of the kernel's command line that systemd itself reads (src/core/main.c), whatever its file is called."""
NVRC_MARK = b"kata-agent"
"""NVRC starts the agent, by its path."""


class InitProgram(StrEnum):
    """What the kernel would start; NVRC is the init of Kata's NVIDIA guests."""

    NONE = "nothing"
    SYSTEMD = "systemd"
    AGENT = "the agent"
    PROBE = "rootfs-kit's probe agent"
    PACKED = "a program packed by UPX"
    NVRC = "NVRC"
    OTHER = "another program"


INIT_PROGRAMS = {
    AgentIdentity.KATA: InitProgram.AGENT,
    AgentIdentity.PROBE: InitProgram.PROBE,
    AgentIdentity.PACKED: InitProgram.PACKED,
    AgentIdentity.OTHER: InitProgram.OTHER,
}


class Manifest(NamedTuple):
    """What rootfs-kit wrote about a tree when it built it; empty for everybody else's.

    `source_date_epoch` is in seconds since 1970, None for a build that was given none.
    """

    agent_name: str
    content: str | None
    init: str | None
    distro: str | None
    requested_packages: tuple[str, ...]
    extra_packages: tuple[str, ...]
    deleted_units: tuple[str, ...]
    source_date_epoch: int | None


@lru_cache(maxsize=8)
def manifest(tree: RootfsTree) -> Manifest | None:
    """rootfs-kit's manifest of `tree`, or None where another builder made it.

    Raises CouldNotLook for a manifest that cannot be read or is no such document.
    """
    if not tree.exists(MANIFEST):
        return None
    try:
        return _manifest_of(json.loads(tree.read_bytes(MANIFEST, limit=16 * 1024 * 1024)))
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise CouldNotLook(
            f"reading {MANIFEST}", f"it is not rootfs-kit's manifest: {error}", "Build the rootfs again, or remove it."
        ) from error


def _manifest_of(document: Any) -> Manifest:
    """Raises AttributeError or TypeError for a document of another shape."""
    packages = document.get("packages") or {}
    return Manifest(
        agent_name=_word((document.get("agent") or {}).get("name")) or "kata-agent",
        content=_word(document.get("content")),
        init=_word(document.get("init")),
        distro=_word((document.get("distro") or {}).get("name")),
        requested_packages=_words(packages.get("requested")),
        extra_packages=_words(packages.get("extra")),
        deleted_units=_words(document.get("deleted_units")),
        source_date_epoch=_seconds(document.get("source_date_epoch")),
    )


def _words(value: Any) -> tuple[str, ...]:
    if value is not None and not isinstance(value, list):
        raise TypeError("a list of names was expected")
    return tuple(word for word in map(_word, value or ()) if word)


def _seconds(value: Any) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError("a time in seconds was expected")
    return value


def _word(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("a name was expected")
    return value


@lru_cache(maxsize=8)
def find_agent(tree: RootfsTree) -> RootfsFile | None:
    """The agent's own place under a `bin` directory, /usr/bin first (initrd_builder.sh:75 and the unit look there).

    A link counts, wherever it leads: with AGENT_INIT=yes it leads to /sbin/init.
    """
    written = manifest(tree)
    names = dict.fromkeys((written.agent_name if written else "kata-agent", "kata-agent"))
    places = (f"{directory}/{name}" for name in names for directory in AGENT_DIRECTORIES)
    return next((tree.file(place) for place in places if tree.lstat(place) is not None), None)


@lru_cache(maxsize=64)
def identity(tree: RootfsTree, path: str) -> AgentIdentity:
    """Whether the program at `path` is kata-agent, the probe, or something else. Raises CouldNotLook."""
    return identify_agent(tree.read_bytes(path))


@lru_cache(maxsize=8)
def init_program(tree: RootfsTree) -> InitProgram:
    """What /sbin/init is, after following its links inside the tree."""
    init = tree.file(INIT)
    if not init.is_file:
        return InitProgram.NONE
    content = init.read_bytes()
    if any(mark in content for mark in SYSTEMD_MARKS):
        return InitProgram.SYSTEMD
    if (init.target.final or INIT).rpartition("/")[2].startswith("NVRC") and NVRC_MARK in content:
        return InitProgram.NVRC
    return INIT_PROGRAMS[identify_agent(content)]
