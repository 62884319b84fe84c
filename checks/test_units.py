"""Units: what systemd needs in order to reach kata-containers.target and start the agent."""

from __future__ import annotations

import pytest

from rootfs_kit.suite.agent_units import SERVICE, TARGET, skip_where_nvrc_is_init, the_unit
from rootfs_kit.suite.anatomy import find_agent, manifest
from rootfs_kit.suite.check import ERROR, FULL, INFO, SYSTEMD, WARN, Finding, Severity, check, report, require
from rootfs_kit.suite.profile import Profile
from rootfs_kit.suite.unit_links import names_another_unit, says_how_it_fails, starts_its_unit
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.units import find_unit, requirement_closure

WANTED_BY_BASIC = f"/etc/systemd/system/basic.target.wants/{TARGET}"
NO_AGENT_STARTED = "systemd comes up without the agent, and the runtime times out connecting to the vsock"
DEFAULT = "default.target"
MACHINE_ID = "/etc/machine-id"
EXTENSION = (
    "/usr/lib/systemd/system/kata-extension-mount@.service",
    "/usr/lib/systemd/system-generators/kata-extension-mount-generator",
    "/usr/libexec/kata-extension-mount.sh",
    "/usr/libexec/kata-extension-umount.sh",
)
EXTENSION_TOOLS = (("/bin/bash",), ("/bin/mount",), ("/usr/sbin/veritysetup", "/sbin/veritysetup"))


@pytest.fixture(autouse=True)
def _systemd_is_the_init(rootfs: RootfsTree, profile: Profile) -> None:
    skip_where_nvrc_is_init(rootfs, "it has no units")


@check("UNT-01", severity=ERROR, init=SYSTEMD, source="kata-containers#11052: AGENT_SOURCE_BIN installs no units")
@pytest.mark.parametrize("name", [SERVICE, TARGET])
def test_agent_units_are_there(rootfs: RootfsTree, name: str) -> None:
    """Guards against an agent that nobody starts: its unit files come with the agent's own `make install` only.

    Install them (rootfs-kit writes its own when the agent is a bare binary).
    """
    unit = find_unit(rootfs, name)
    require(
        unit is not None and not unit.masked,
        unit.path if unit else f"/usr/lib/systemd/system/{name}",
        found="masked" if unit else "no such unit",
        expected=f"{name}, loaded by systemd",
        at_boot=NO_AGENT_STARTED,
        mend=f"install {name}",
    )


@check("UNT-01", severity=ERROR, init=SYSTEMD, source="systemd.service(5), ExecStart=")
def test_agent_service_starts_a_program_that_is_there(rootfs: RootfsTree) -> None:
    """Guards against a unit whose ExecStart names a program that the rootfs does not have, or cannot run."""
    unit = the_unit(rootfs, SERVICE)
    programs = [line.program for line in unit.exec_lines("ExecStart")]
    require(
        bool(programs),
        unit.path,
        found="no ExecStart=",
        expected="ExecStart=/usr/bin/kata-agent",
        at_boot=NO_AGENT_STARTED,
        mend="give the unit's [Service] section its ExecStart=",
    )
    if find_agent(rootfs) is None and all(rootfs.lstat(program) is None for program in programs):
        pytest.skip("there is no agent at all: AGT-01 reports that")
    report(
        Finding(
            unit.path,
            found=f"ExecStart={program}: {rootfs.file(program).describe()}",
            expected="an executable program of the rootfs",
            at_boot=NO_AGENT_STARTED,
            mend=f"install the agent at {program}, or correct the unit",
        )
        for program in programs
        if not rootfs.file(program).is_executable
    )


@check("UNT-01", severity=ERROR, init=SYSTEMD, source="kata-containers.target.in: Requires=kata-agent.service")
def test_the_target_starts_the_agent(rootfs: RootfsTree) -> None:
    """Guards against a target that reaches its end without the agent: the runtime names the target and nothing else.

    Kata's target must require kata-agent.service, or want it.
    """
    target = the_unit(rootfs, TARGET)
    if find_unit(rootfs, SERVICE) is None:
        pytest.skip(f"there is no {SERVICE}: test_agent_units_are_there reports that")
    started = {*target.requires, *target.wants}
    require(
        SERVICE in started,
        target.path,
        found="Requires=" + " ".join(target.requires),
        expected=f"Requires={SERVICE} among them",
        at_boot=NO_AGENT_STARTED,
        mend=f"write Requires={SERVICE} in {TARGET}",
    )


@check("UNT-01", severity=WARN, init=SYSTEMD, source="systemd.syntax(7)")
@pytest.mark.parametrize("name", [SERVICE, TARGET])
def test_agent_units_are_understood(rootfs: RootfsTree, name: str) -> None:
    """Guards against lines of the agent's units that systemd passes over with a warning, as it cannot parse them."""
    report(
        Finding(
            complaint.path,
            found=f"line {complaint.line}: {complaint.found}",
            expected="a section header or an assignment",
            at_boot="systemd ignores the line, and what it was meant to do is not done",
            mend="correct the line",
        )
        for complaint in the_unit(rootfs, name).complaints
    )


@check("UNT-02", severity=ERROR, content=FULL, init=SYSTEMD, source="kata-containers#11126, #2968")
def test_everything_the_target_requires_is_there(rootfs: RootfsTree) -> None:
    """Guards against a missing or masked unit that kata-containers.target needs, directly or through another.

    systemd then refuses the whole target. Put the unit back; deleting units (rootfs.sh -d) is the usual cause.
    """
    the_unit(rootfs, TARGET)
    the_unit(rootfs, SERVICE)
    closure = requirement_closure(rootfs, TARGET)
    report(
        Finding(
            problem.path or f"/usr/lib/systemd/system/{problem.unit}",
            found=str(problem),
            expected=f"a unit that systemd can load: {TARGET} requires it",
            at_boot=f"systemd refuses to start {TARGET}; " + NO_AGENT_STARTED,
            mend="install the package that brings the unit, or unmask it",
        )
        for problem in closure.problems
        if problem.unit != "tmp.mount"
    )


@check(
    "UNT-02", severity=ERROR, content=FULL, init=SYSTEMD, source="systemd.unit(5), Conflicts=; systemd transaction.c"
)
def test_nothing_the_target_requires_conflicts(rootfs: RootfsTree) -> None:
    """Guards against a Conflicts= between two units that kata-containers.target needs: it cannot start and stop one.

    Remove the Conflicts= from the unit, or from its drop-in.
    """
    the_unit(rootfs, TARGET)
    the_unit(rootfs, SERVICE)
    needed = {**requirement_closure(rootfs, TARGET).units, **requirement_closure(rootfs, SERVICE).units}
    owners = {name: unit.id for unit in needed.values() for name in (unit.id, *unit.names)}
    report(
        Finding(
            unit.path,
            found=f"Conflicts={name}, which {TARGET} needs as it needs {unit.id}",
            expected="no conflict with a unit that is started with it",
            at_boot=f"systemd refuses {TARGET} (conflicting jobs), or leaves the agent out; " + NO_AGENT_STARTED,
            mend=f"remove Conflicts={name} from {unit.id} or its drop-in",
        )
        for unit in needed.values()
        for name in unit.words("Unit", "Conflicts")
        if owners.get(name, unit.id) != unit.id
    )


@check("UNT-03", severity=WARN, content=FULL, init=SYSTEMD, source="kata-containers#4932; katautils/create.go:61")
def test_basic_target_wants_kata_containers(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against an initrd that reaches its default target without Kata's.

    For an image the runtime names systemd.unit=kata-containers.target; for an initrd it does not, and only this
    link starts the agent.
    """
    require(
        starts_its_unit(rootfs, WANTED_BY_BASIC),
        WANTED_BY_BASIC,
        found=says_how_it_fails(rootfs, WANTED_BY_BASIC),
        expected=f"a link to the unit {TARGET}",
        at_boot="an initrd of this rootfs comes up without the agent",
        mend=f"link {WANTED_BY_BASIC} to /usr/lib/systemd/system/{TARGET}",
        severity=Severity.ERROR if "initrd" in profile.features else None,
    )
    require(
        not names_another_unit(rootfs, WANTED_BY_BASIC),
        WANTED_BY_BASIC,
        found=rootfs.file(WANTED_BY_BASIC).describe(),
        expected=f"a link to the unit {TARGET}",
        at_boot="the guest boots: systemd goes by the name of the link, and warns that it leads elsewhere",
        mend=f"link {WANTED_BY_BASIC} to /usr/lib/systemd/system/{TARGET}",
    )


@check(
    "UNT-03",
    severity=ERROR,
    content=FULL,
    init=SYSTEMD,
    features=["initrd"],
    source="systemd.special(7), default.target",
)
def test_initrd_boots_to_a_default_target(rootfs: RootfsTree) -> None:
    """Guards against an initrd whose systemd does not know where to go, and stops in the rescue shell.

    The runtime names no systemd.unit= for an initrd, so that default.target is started: it must lead to a unit, and
    through that to basic.target, which wants Kata's.
    """
    closure = requirement_closure(rootfs, DEFAULT)
    problem = closure.problems[0] if closure.problems else None
    require(
        problem is None and "basic.target" in closure.units,
        problem.path if problem is not None and problem.path else f"/usr/lib/systemd/system/{DEFAULT}",
        found=str(problem) if problem is not None else "units that do not lead to basic.target",
        expected=f"{DEFAULT}, a link to a target that requires basic.target",
        at_boot="systemd starts rescue.target instead, and the agent never",
        mend=f"link {DEFAULT} to multi-user.target",
    )


@check("UNT-05", severity=ERROR, content=FULL, init=SYSTEMD, source="kata-containers.target: Requires=tmp.mount")
def test_tmp_mount_is_there(rootfs: RootfsTree) -> None:
    """Guards against a guest without tmp.mount, which kata-containers.target requires.

    Debian ships it under /usr/share/systemd up to bookworm. Install it where systemd looks.
    """
    unit = find_unit(rootfs, "tmp.mount")
    require(
        unit is not None and not unit.masked,
        unit.path if unit else "/etc/systemd/system/tmp.mount",
        found="masked" if unit else "no such unit",
        expected="tmp.mount: a tmpfs on /tmp",
        at_boot=f"systemd refuses to start {TARGET}; " + NO_AGENT_STARTED,
        mend="install tmp.mount in /etc/systemd/system",
    )
    assert unit is not None
    require(
        unit.get("Mount", "What")[-1:] == ["tmpfs"] and unit.get("Mount", "Where")[-1:] == ["/tmp"],
        unit.path,
        found=f"What={unit.get('Mount', 'What')} Where={unit.get('Mount', 'Where')}",
        expected="What=tmpfs and Where=/tmp",
        at_boot=f"systemd refuses to start {TARGET}; " + NO_AGENT_STARTED,
        mend="write What=tmpfs and Where=/tmp in the unit's [Mount] section",
    )


@check("UNT-06", severity=WARN, content=FULL, init=SYSTEMD, source="machine-id(5); kata-containers/runtime#1537")
def test_machine_id_is_nobodys(rootfs: RootfsTree) -> None:
    """Guards against one machine id shared by every guest, and against none at all on a read-only root.

    systemd wants the file to exist, empty or with the word "uninitialized".
    """
    file = rootfs.file(MACHINE_ID)
    require(
        file.exists,
        MACHINE_ID,
        found=file.describe(),
        expected="an empty file",
        at_boot="on a read-only root systemd cannot make one, and does not boot",
        mend=f"create {MACHINE_ID} as an empty file",
    )
    text = rootfs.read_bytes(MACHINE_ID, limit=4096).strip()
    require(
        text in (b"", b"uninitialized"),
        MACHINE_ID,
        found="a machine id of its own",
        expected='an empty file, or the word "uninitialized"',
        at_boot="all guests of this image share one identity (DHCP leases, journals, D-Bus)",
        mend=f"empty {MACHINE_ID}",
        severity=Severity.ERROR,
    )


@check("UNT-07", severity=WARN, content=FULL, init=SYSTEMD, source="kata-agent.service.in, ExecStop=")
def test_programs_that_stop_the_agent_are_there(rootfs: RootfsTree) -> None:
    """Guards against a service whose ExecStop names programs that are not in the guest: it cannot power off cleanly."""
    unit = the_unit(rootfs, SERVICE)
    programs = dict.fromkeys(line.program for line in unit.exec_lines("ExecStop"))
    report(
        Finding(
            unit.path,
            found=f"ExecStop={program}: {rootfs.file(program).describe()}",
            expected="a program of the rootfs",
            at_boot="the guest boots; stopping the agent fails instead of powering it off",
            mend=f"install the package that holds {program}",
        )
        for program in programs
        if not rootfs.file(program).is_executable
    )


@check("UNT-08", severity=INFO, init=SYSTEMD, source="rootfs.sh:879-895 (-d), which says cleanup.timer for clean.timer")
def test_deleted_units_are_gone(rootfs: RootfsTree) -> None:
    """Notes units that a build with --delete-units said it deleted and that are there, and what a misspelt name kept.

    rootfs.sh -d means to delete systemd-tmpfiles-clean.timer and never does.
    """
    written = manifest(rootfs)
    claimed = set(written.deleted_units if written is not None else ())
    if find_unit(rootfs, "systemd-journald.service") is None:
        claimed.add("systemd-tmpfiles-clean.timer")
    left = (find_unit(rootfs, name) for name in sorted(claimed) if name.endswith((".service", ".socket", ".timer")))
    report(
        Finding(
            unit.path,
            found="a unit that was to be deleted",
            expected="no such unit, as those that it belongs to are gone",
            at_boot="the guest boots; systemd starts what nobody needs",
            mend=f"remove {unit.path}",
        )
        for unit in left
        if unit is not None and not unit.masked
    )


@check("UNT-09", severity=WARN, init=SYSTEMD, source="src/agent/Makefile:99-112, 171-179 (make install of Kata 4)")
def test_extension_mounts_are_whole(rootfs: RootfsTree) -> None:
    """Guards against a half of Kata 4's extension mounts: unit, generator and scripts work together or not at all.

    In a full rootfs they also need bash, mount and veritysetup. Copy all that the agent's `make install` brings.
    """
    parts = [path for path in EXTENSION if rootfs.lstat(path) is not None]
    if not parts:
        return
    lost = [path for path in EXTENSION if not rootfs.file(path).is_file]
    if holds_a_base(rootfs):
        lost += [names[0] for names in EXTENSION_TOOLS if not any(rootfs.file(path).is_executable for path in names)]
    report(
        Finding(
            path,
            found=rootfs.file(path).describe(),
            expected=f"it to be there, as {parts[0]} is",
            at_boot="the guest boots; extensions of the rootfs are not mounted",
            mend="install all of the agent's extension files, with bash, mount and cryptsetup, or none of them",
        )
        for path in lost
    )


def holds_a_base(rootfs: RootfsTree) -> bool:
    return rootfs.exists("/etc/os-release") or rootfs.exists("/usr/lib/os-release")
