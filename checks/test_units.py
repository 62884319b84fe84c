"""Units: what systemd needs in order to reach kata-containers.target and start the agent."""

from __future__ import annotations

import pytest

from rootfs_kit.suite.anatomy import InitProgram, find_agent, init_program
from rootfs_kit.suite.check import ERROR, FULL, SYSTEMD, WARN, Finding, Severity, check, report, require
from rootfs_kit.suite.profile import Profile
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.units import Unit, find_unit, requirement_closure

SERVICE = "kata-agent.service"
TARGET = "kata-containers.target"
WANTED_BY_BASIC = f"/etc/systemd/system/basic.target.wants/{TARGET}"
WANTED_BUS = f"/etc/systemd/system/{TARGET}.wants/dbus.socket"
NO_AGENT_STARTED = "systemd comes up without the agent, and the runtime times out connecting to the vsock"
BUS_PROGRAMS = ("/usr/bin/dbus-daemon", "/usr/bin/dbus-broker-launch", "/bin/dbus-daemon")
MACHINE_ID = "/etc/machine-id"


@pytest.fixture(autouse=True)
def _systemd_is_the_init(rootfs: RootfsTree, profile: Profile) -> None:
    if init_program(rootfs) is InitProgram.NVRC:
        pytest.skip("NVRC is the init of this guest: it has no units")


def the_unit(rootfs: RootfsTree, name: str) -> Unit:
    unit = find_unit(rootfs, name)
    if unit is None or unit.masked:
        pytest.skip(f"there is no {name}: test_agent_units_are_there reports that")
    return unit


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


@check("UNT-03", severity=WARN, content=FULL, init=SYSTEMD, source="kata-containers#4932; katautils/create.go:61")
def test_basic_target_wants_kata_containers(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against an initrd that reaches its default target without Kata's.

    For an image the runtime names systemd.unit=kata-containers.target; for an initrd it does not, and only this
    link starts the agent.
    """
    require(
        rootfs.file(WANTED_BY_BASIC).is_file,
        WANTED_BY_BASIC,
        found=rootfs.file(WANTED_BY_BASIC).describe(),
        expected=f"a link to the unit {TARGET}",
        at_boot="an initrd of this rootfs comes up without the agent",
        mend=f"link {WANTED_BY_BASIC} to /usr/lib/systemd/system/{TARGET}",
        severity=Severity.ERROR if "initrd" in profile.features else None,
    )


@check("UNT-04", severity=ERROR, content=FULL, init=SYSTEMD, source="kata-containers#6657, #11126")
def test_the_bus_is_started(rootfs: RootfsTree) -> None:
    """Guards against a guest without a system bus: the agent asks systemd for cgroups over it.

    The target must want dbus.socket, and a bus implementation must be installed.
    """
    require(
        rootfs.file(WANTED_BUS).is_file,
        WANTED_BUS,
        found=rootfs.file(WANTED_BUS).describe(),
        expected="a link to the unit dbus.socket",
        at_boot="containers with a systemd cgroup path fail: Establishing a D-Bus connection",
        mend=f"link {WANTED_BUS} to /usr/lib/systemd/system/dbus.socket (and install dbus)",
    )


@check("UNT-04", severity=ERROR, content=FULL, init=SYSTEMD, source="kata-containers#12934")
def test_a_bus_implementation_is_installed(rootfs: RootfsTree) -> None:
    """Guards against dbus.socket without anything behind it. Install dbus or dbus-broker."""
    require(
        any(rootfs.file(program).is_executable for program in BUS_PROGRAMS),
        BUS_PROGRAMS[0],
        found="neither dbus-daemon nor dbus-broker-launch",
        expected="a D-Bus implementation",
        at_boot="containers with a systemd cgroup path fail: Establishing a D-Bus connection",
        mend="install dbus (or dbus-broker)",
    )


@check("UNT-04", severity=ERROR, content=FULL, init=SYSTEMD, source="kata-containers#11126, #10732")
def test_dbus_broker_has_its_journal(rootfs: RootfsTree) -> None:
    """Guards against dbus-broker without journald, which it logs to: deleting units (rootfs.sh -d) breaks it so."""
    bus = find_unit(rootfs, "dbus.service")
    if bus is None or "dbus-broker" not in "".join(line.program for line in bus.exec_lines("ExecStart")):
        pytest.skip("the bus is not dbus-broker: it needs no journal")
    lost = [name for name in ("systemd-journald.service", "systemd-journald.socket") if find_unit(rootfs, name) is None]
    report(
        Finding(
            f"/usr/lib/systemd/system/{name}",
            found="no such unit, while the system bus is dbus-broker",
            expected="journald's units",
            at_boot="the bus drops its clients: Establishing a D-Bus connection … reset by peer",
            mend="keep journald's units (no --delete-units), or install dbus-daemon",
        )
        for name in lost
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
