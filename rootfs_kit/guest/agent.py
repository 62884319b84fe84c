"""The agent: which file was given for it, whether that can be the agent of this guest, and where it goes.

The program is installed as it is: stripping would need the right binutils for a foreign architecture, and would break
a signature or a measurement of the file. Units that come in an agent's tarball are unpacked here; what else systemd
needs is systemd.py's part.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rootfs_kit.errors import BadArchive, BuildFailed, UsageError
from rootfs_kit.guest.places import same_directory
from rootfs_kit.guest.tarballs import reading
from rootfs_kit.request import PROBE_AGENT, BuildRequest
from rootfs_kit.tree import RootfsEditor
from rootfs_kit.tree.elf import CorruptElf, ElfFile, ElfType, NotElf
from rootfs_kit.tree.paths import normalise

WAYS = (
    "Give --agent-bin FILE (AGENT_SOURCE_BIN), --agent-tarball FILE (AGENT_TARBALL), or --agent probe for a small\n"
    "  diagnostic agent that is compiled on this host."
)
AGENT_DIRECTORIES = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")
HEAD = 4096


@dataclass(frozen=True)
class Agent:
    """A program (or a tarball that holds one, at `member`) that was found fit to be the agent of the guest."""

    name: str
    source: Path
    member: str | None = None
    is_probe: bool = False

    @property
    def path(self) -> str:
        """Where the guest finds it; with the agent as init, a link (initrd_builder.sh:75 looks here too)."""
        return f"/usr/bin/{self.name}"


def resolve_agent(request: BuildRequest) -> Agent | None:
    """The agent that `request` names, judged before anything is built; None where none is wanted (rootfs_only).

    Raises UsageError for none or two of them, and for one that cannot be run in this guest; HostLacks when the probe
    cannot be compiled here.
    """
    if request.rootfs_only:
        return None
    given = [one for one in (request.agent_bin, request.agent_tarball, request.agent) if one is not None]
    if not given:
        raise UsageError("choosing the agent", "none is given, and a guest without an agent is of no use", WAYS)
    if len(given) > 1:
        raise UsageError("choosing the agent", f"two are given: {given[0]} and {given[1]}", f"Choose one.\n  {WAYS}")
    if request.agent_bin is not None:
        return _from_file(request, request.agent_bin)
    if request.agent_tarball is not None:
        return _from_tarball(request, request.agent_tarball)
    return _probe(request)


def _probe(request: BuildRequest) -> Agent:
    if request.agent != PROBE_AGENT:
        raise UsageError("choosing the agent", f'"{request.agent}" is no agent that rootfs-kit knows', WAYS)
    from rootfs_kit.probe import probe_agent

    return Agent(request.agent_name, probe_agent(request.arch or os.uname().machine), is_probe=True)


def _from_file(request: BuildRequest, path: Path) -> Agent:
    doing = f"reading the agent {path}"
    try:
        status = path.stat()
        if not path.is_file():
            raise UsageError(doing, "it is no regular file", "Name the kata-agent program itself.")
        elf = ElfFile(path)
    except OSError as error:
        raise UsageError(doing, error.strerror or str(error), "Name an existing kata-agent program.") from error
    except (NotElf, CorruptElf) as error:
        raise UsageError(doing, f"it is no program: {error.found}", "Name the kata-agent binary (ELF).") from error
    if not status.st_mode & 0o111:
        raise UsageError(doing, "it is not executable", f"If it is the agent: chmod +x {path}")
    _require_whole(doing, elf, status.st_size)
    _require_fit(doing, elf, request)
    return Agent(request.agent_name, path)


def _from_tarball(request: BuildRequest, archive: Path) -> Agent:
    """The first member of the archive that is called as the agent is, in a directory of programs."""
    wanted = [f"{directory}/{request.agent_name}" for directory in AGENT_DIRECTORIES]
    with reading(archive) as tar:
        for member in tar:
            path = normalise(member.name)
            content = tar.extractfile(member) if path in wanted and member.isreg() else None
            if content is None:
                continue
            doing = f"reading the agent {path} in {archive}"
            try:
                elf = ElfFile(content.read(HEAD), path)
            except (NotElf, CorruptElf) as error:
                raise BadArchive(doing, f"it is no program: {error.found}", "Make the archive again.") from error
            if not member.mode & 0o111:
                raise BadArchive(doing, "it is not executable", "chmod +x it, and make the archive again.")
            _require_fit(doing, elf, request)
            return Agent(request.agent_name, archive, path)
    raise BadArchive(
        f"looking for the agent in {archive}",
        f"it holds no {wanted[0].lstrip('/')}",
        "Name the archive that Kata's build makes (kata-static-agent.tar.zst), or the agent's name with --agent-name.",
    )


def _require_whole(doing: str, elf: ElfFile, size: int) -> None:
    """A download that broke off has its header, and not all of what that promises."""
    try:
        end = max((segment.offset + segment.size for segment in elf.segments), default=0)
    except CorruptElf as error:
        raise UsageError(doing, f"it is damaged: {error.found}", "Fetch or build the agent again.") from error
    if end > size:
        raise UsageError(doing, f"it ends after {size} of {end} bytes", "Fetch or build the agent again.")


def _require_fit(doing: str, elf: ElfFile, request: BuildRequest) -> None:
    if elf.type not in (ElfType.EXECUTABLE, ElfType.SHARED):
        raise UsageError(doing, f"it is no program, but an ELF file of type {elf.type!s}", "Name the linked program.")
    if request.arch is not None and elf.machine != request.arch:
        raise UsageError(
            doing,
            f"it is built for {elf.machine}, and the guest is to be {request.arch}",
            f"Name an agent for {request.arch}, or build the guest for {elf.machine} (--arch, ARCH).",
        )


def install_agent(editor: RootfsEditor, agent: Agent) -> None:
    """Put the agent at /usr/bin/<name>, owned by root with mode 0755. Raises BadArchive, BuildFailed."""
    if agent.member is None:
        editor.copy_in(agent.source, agent.path, 0o755)
        return
    editor.unpack(agent.source)
    if agent.member != agent.path and not same_directory(editor, agent.member.rpartition("/")[0], "/usr/bin"):
        editor.rename(agent.member, agent.path)
    entry = editor.lstat(agent.path)
    if entry is None or not entry.is_file:
        raise BuildFailed(
            f"installing the agent from {agent.source}",
            f"{agent.path} is no regular file once the archive is unpacked",
            "Look for a link of that name later in the archive, and make it again without.",
        )
    editor.chmod(agent.path, 0o755)
    editor.chown(agent.path, 0, 0)


def reach_agent_through_bin(editor: RootfsEditor, agent: Agent) -> None:
    """Let /bin/<name> lead to the agent, where /bin is a directory of its own.

    Where it is a link to usr/bin it leads there already. Where there is no /bin at all, as in a new overlay, the base
    brings it: a directory made here would take the place of the base's link when the overlay is laid over it.
    """
    if editor.exists("/bin") and not same_directory(editor, "/bin", "/usr/bin"):
        editor.symlink(f"/bin/{agent.name}", f"../usr/bin/{agent.name}")
