"""Backends plan a package manager's commands; they touch neither disk nor network.

A plan is data: an engine (`rootfs_kit/engines/`) runs it, tests compare it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rootfs_kit.distro import Distro
from rootfs_kit.errors import UsageError
from rootfs_kit.request import BuildRequest


@dataclass(frozen=True)
class Command:
    """One command of a plan: an argument list, never a shell string.

    `milestones` are texts that the tool prints, in order, each with the fraction (0 to 1) of the command that is
    done when it appears: the progress bar's only source. `complaints` are texts by which a line is known that says
    what is wrong: where the command fails, such lines are shown even if many others followed. `futile` are regular
    expressions: where a line of a failed run has one of them in it, the fault is not the mirror's, and another mirror
    would not help. `stdin` is what it may read. `is_client` says that it only speaks to a service which does the work,
    and needs the namespaces of the rest of this host for that.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    milestones: tuple[tuple[str, float], ...] = ()
    complaints: tuple[str, ...] = ()
    stdin: bytes = b""
    is_client: bool = False
    futile: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tool:
    """A program that a plan needs, and the package that brings it, by distribution id of the host.

    `instead` names programs that take the same arguments, for a host without this one, the best first. `fetch`, where
    there is one, brings the program to a host that has none: called with a directory for caches and one to put it
    into, it gives the path of an executable that was verified. It raises BuildFailed.
    """

    program: str
    packages: Mapping[str, str]
    fetch: Callable[[Path, Path], Path] | None = None
    instead: tuple[str, ...] = ()


@dataclass(frozen=True)
class Site:
    """Where the commands of a plan find things, by the paths that they see: this host's, or a container's.

    `tree` is an empty directory to fill, `files` the directory that the plan's own files are laid into, `mirror` the
    address to install from; None leaves it to the package manager. `machine` is the one that they run on, by the
    kernel's name; a container engine's may be another than this.
    """

    tree: Path
    files: Path
    mirror: str | None = None
    machine: str = field(default_factory=lambda: os.uname().machine)


@dataclass(frozen=True)
class PinnedFile:
    """A file of this host that is used only if its SHA-256 digest, in hexadecimal, is the one that was pinned."""

    file: Path
    sha256: str

    def read(self) -> bytes:
        """Its content. Raises UsageError where it is another, or cannot be read."""
        doing = f"reading {self.file}"
        try:
            content = self.file.read_bytes()
        except OSError as error:
            raise UsageError(doing, error.strerror or str(error), "Put the file where distro.toml names it.") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise UsageError(
                doing,
                f"it is not the file that is pinned: its SHA-256 digest is {found}, and not {self.sha256}",
                "Get the right file; only if you know why it changed, pin the new digest in distro.toml.",
            )
        return content


@dataclass(frozen=True)
class Plan:
    """Commands that fill the tree of a site, an empty directory, with a distribution's packages.

    `files` are laid into the site's directory for them before the first command runs: content by relative path, or
    the host's file or directory that has it (a keyring). `settings` are files that the distribution's installer would
    have written besides: the text of each by its path in the guest, laid into the tree after the last command.

    `before_container` and `after_container` are for an engine that runs the commands in a container: commands for the
    host itself, which learn the container engine's name from `container_engine`. `runs_guest_programs` says whether the
    commands run programs of the new tree, as the scripts of packages are.
    """

    commands: tuple[Command, ...]
    tools: tuple[Tool, ...]
    packages: tuple[str, ...]
    files: Mapping[str, bytes | Path | PinnedFile] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    before_container: tuple[Command, ...] = ()
    after_container: tuple[Command, ...] = ()
    runs_guest_programs: bool = True


Planner = Callable[[Site], Plan]
"""What an engine is given: it knows the site, and this makes the plan for it."""


class Backend(Protocol):
    """How one package manager is driven."""

    @property
    def name(self) -> str:
        """What a distro.toml calls it."""
        ...

    def plan(self, request: BuildRequest, distro: Distro, site: Site) -> Plan:
        """The commands that build what `request` asks for. Pure: no I/O. Raises UsageError."""
        ...

    def index(self, request: BuildRequest, distro: Distro) -> str:
        """The file that every mirror of the release has, relative to the mirror: what is asked to see if it answers.

        Of several, with a space between them, each mirror has one.
        """
        ...
