"""Agent: kata-agent itself, the one program that the runtime talks to."""

from __future__ import annotations

import pytest

from rootfs_kit.axes import Content, InitMode
from rootfs_kit.spelling import spelt
from rootfs_kit.suite.anatomy import INIT, InitProgram, find_agent, identity, init_program, manifest
from rootfs_kit.suite.check import AGENT_INIT, ERROR, FULL, SYSTEMD, WARN, Finding, check, report, require
from rootfs_kit.suite.profile import Profile
from rootfs_kit.tree import RootfsFile, RootfsTree
from rootfs_kit.tree.agent_identity import AgentIdentity
from rootfs_kit.tree.elf_closure import closure_problems
from rootfs_kit.tree.machines import rootfs_machine

AGENTS = (InitProgram.AGENT, InitProgram.PACKED, InitProgram.PROBE)
NO_AGENT = "there is no agent: AGT-01 reports that"


def the_agent(rootfs: RootfsTree, profile: Profile) -> RootfsFile:
    """The agent that is started, which the checks below judge; they have nothing to say of a tree that has none."""
    is_init = profile.init is InitMode.AGENT and rootfs.file(INIT).is_file
    agent = rootfs.file(INIT) if is_init else find_agent(rootfs)
    if agent is None or not agent.is_file:
        pytest.skip(NO_AGENT)
    return agent


@check("AGT-01", severity=ERROR, init=SYSTEMD, source="initrd_builder.sh:75; kata-agent.service.in (ExecStart)")
def test_agent_is_installed(rootfs: RootfsTree) -> None:
    """Guards against a rootfs without an agent: Kata's image gate never looks for one in systemd mode.

    Install it at /usr/bin/kata-agent (rootfs-kit build --agent-bin FILE).
    """
    agent = find_agent(rootfs)
    require(
        agent is not None and agent.is_executable,
        "/usr/bin/kata-agent",
        found=agent.describe() if agent else "no agent in /usr/bin, /bin, /usr/sbin or /sbin",
        expected="kata-agent, an executable regular file",
        at_boot="the guest comes up and the runtime times out connecting to the vsock",
        mend="install the agent there, mode 0755 (rootfs-kit build --agent-bin FILE)",
    )


@check("AGT-01", severity=ERROR, content=FULL, init=AGENT_INIT, source="rootfs.sh:336-347 moves the agent away")
def test_agent_is_reachable_by_its_own_name(rootfs: RootfsTree) -> None:
    """Guards against an agent that is only /sbin/init: tools look for /usr/bin/kata-agent, as the README promised.

    Make /usr/bin/kata-agent a relative link to the init.
    """
    if not rootfs.file(INIT).is_file:
        pytest.skip("there is no init: INI-01 reports that")
    agent = find_agent(rootfs)
    require(
        agent is not None and agent.is_file,
        "/usr/bin/kata-agent",
        found=agent.describe() if agent else "no agent in /usr/bin, /bin, /usr/sbin or /sbin",
        expected=f"a relative link to {INIT}, which is the agent",
        at_boot="the guest starts, but whatever looks for the agent by its name finds none",
        mend=f"make /usr/bin/kata-agent a relative symbolic link to {INIT}",
    )


@check("AGT-01", severity=ERROR, source="kata-agent.service.in runs it as root; with AGENT_INIT=yes it is process 1")
def test_agent_belongs_to_root_and_only_root_writes_it(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against an agent that somebody else may replace: it runs as root in every guest.

    chown it to root and chmod it to 0755.
    """
    agent = the_agent(rootfs, profile)
    require(
        agent.uid == 0 and not agent.mode & 0o022,
        agent.path,
        found=f"mode {agent.mode:04o}, owner {agent.uid}:{agent.gid}",
        expected="mode 0755, owner 0:0",
        at_boot="any user who owns it or may write it runs code as root in the guest",
        mend=f"chown root:root {agent.path} && chmod 0755 {agent.path}",
    )


@check("AGT-01", severity=ERROR, init=SYSTEMD, source="kata-containers/osbuilder: image gate passes a 0-byte agent")
def test_agent_is_kata_agent(rootfs: RootfsTree, profile: Profile, allow_probe_agent: bool) -> None:
    """Guards against something else under the agent's name: an empty file, a script, the probe of a trial build.

    The agent is recognised by what is inside the program. Install a real kata-agent.
    """
    agent = the_agent(rootfs, profile)
    what = identity(rootfs, agent.path)
    allowed = {AgentIdentity.KATA, AgentIdentity.PACKED}
    allowed |= {AgentIdentity.PROBE} if allow_probe_agent else set()
    require(
        what in allowed,
        agent.path,
        found="rootfs-kit's probe" if what is AgentIdentity.PROBE else f"no kata-agent, but {agent.size} other bytes",
        expected="a kata-agent binary",
        at_boot="the guest comes up and the runtime times out connecting to the vsock",
        mend=f"build with a real kata-agent (--agent-bin), or allow the probe: {spelt('allow-probe-agent')}"
        if what is AgentIdentity.PROBE
        else "install the kata-agent binary there",
    )


@check("AGT-02", severity=ERROR, source="kata-containers PR#13419 (foreign architectures)")
def test_agent_is_built_for_this_guest(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against an agent of another architecture than the rest of the tree."""
    agent = the_agent(rootfs, profile)
    if identity(rootfs, agent.path) is AgentIdentity.OTHER:
        pytest.skip("this is no agent: AGT-01 or INI-03 reports that")
    machine, guest = rootfs.elf(agent.path).machine, rootfs_machine(rootfs)
    require(
        guest is None or machine == guest,
        agent.path,
        found=f"a program for {machine}, in a rootfs for {guest}",
        expected=f"a program for {guest}",
        at_boot="the kernel cannot execute it: exec format error",
        mend=f"install the agent that was built for {guest}",
    )


@check("AGT-03", severity=ERROR, content=FULL, source="kata-containers#2384, kata-containers/osbuilder#153")
def test_agent_finds_its_loader_and_libraries(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against a dynamically linked agent whose loader, libraries or symbol versions the guest lacks.

    It dies before its first log line. Install the libraries (Debian: libseccomp2), or use a static agent.
    """
    agent = the_agent(rootfs, profile)
    if identity(rootfs, agent.path) is AgentIdentity.OTHER:
        pytest.skip("this is no agent: AGT-01 or INI-03 reports that")
    report(
        Finding(
            agent.path,
            found=str(problem),
            expected="a static program, or one whose loader and libraries are all in the rootfs",
            at_boot="the loader refuses to start the agent, and nothing at all is logged",
            mend="install the package that holds it, or use an agent that is linked statically",
        )
        for problem in closure_problems(rootfs, agent.path)
    )


@check("AGT-04", severity=WARN, source="kata-containers eb7a33ee71 (rootfs.sh strips the agent)")
def test_agent_is_stripped(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against shipping debug information: it makes the agent several times larger, and the guest slower."""
    agent = the_agent(rootfs, profile)
    if identity(rootfs, agent.path) is AgentIdentity.OTHER:
        pytest.skip("this is no agent: AGT-01 or INI-03 reports that")
    require(
        not rootfs.elf(agent.path).has_debug_info,
        agent.path,
        found=f"debug information in a program of {agent.size} bytes",
        expected="a stripped program",
        at_boot="the guest boots, with an image and memory footprint larger than need be",
        mend="strip the agent before you build (strip --strip-debug)",
    )


@check("AGT-04", severity=WARN, source="UPX: a packed program unpacks itself into memory")
def test_agent_is_not_packed(rootfs: RootfsTree, profile: Profile) -> None:
    """Notes an agent that was packed by UPX: nobody can tell what is inside, and every container pays its memory twice.

    The agent starts itself again for each container; use the program as it was built.
    """
    agent = the_agent(rootfs, profile)
    require(
        identity(rootfs, agent.path) is not AgentIdentity.PACKED,
        agent.path,
        found="a program packed by UPX",
        expected="kata-agent as it was built",
        at_boot="the guest boots; each container unpacks the agent into memory again",
        mend="use the agent without packing it (upx -d undoes it)",
    )


@check("AGT-06", severity=WARN, content=FULL, source="kata-containers README: agent at /sbin, /bin or /usr/bin")
def test_there_is_one_agent(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against a second, different agent in another directory: nobody knows which one runs."""
    assert profile.content is Content.FULL
    written = manifest(rootfs)
    name = written.agent_name if written else "kata-agent"
    places = [f"{directory}/{name}" for directory in ("/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin")]
    places += [INIT] if init_program(rootfs) in AGENTS else []
    digests = {
        rootfs.resolve(place).final: rootfs.file(place).sha256() for place in places if rootfs.file(place).is_file
    }
    require(
        len(set(digests.values())) <= 1,
        "/usr/bin/kata-agent",
        found="different agents at " + ", ".join(sorted(path for path in digests if path)),
        expected="one agent, at /usr/bin/kata-agent",
        at_boot="which one is started depends on the unit and on PATH",
        mend="remove all but the one that the unit starts",
    )


@check("AGT-06", severity=WARN, init=SYSTEMD, source="systemd.service(5), ExecStart=; initrd_builder.sh:75")
def test_the_unit_starts_this_agent(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against a unit that starts another program than the agent that every tool looks at.

    `kata-agent.service` of a third party may name /sbin/kata-agent, or a wrapper. Let it start the one agent.
    """
    agent = the_agent(rootfs, profile)
    unit = rootfs.unit("kata-agent.service")
    programs = [line.program for line in unit.exec_lines("ExecStart")] if unit is not None and not unit.masked else []
    if unit is None or not any(rootfs.file(program).is_file for program in programs):
        pytest.skip("no unit starts an agent that is there: UNT-01 reports that")
    started = {rootfs.resolve(program).final for program in programs}
    require(
        agent.target.final in started,
        unit.path,
        found="ExecStart=" + " ".join(programs),
        expected=f"ExecStart={agent.path}, the agent that is judged here",
        at_boot="another program than the one that was looked at is the agent of the guest",
        mend=f"let the unit start {agent.path}, and remove the other program",
    )
