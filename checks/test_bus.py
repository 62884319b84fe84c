"""Bus: the system bus, over which the agent asks systemd for the cgroups of containers (kata-containers#6657)."""

from __future__ import annotations

import re

import pytest

from rootfs_kit.suite.accounts import users_of
from rootfs_kit.suite.agent_units import skip_where_nvrc_is_init
from rootfs_kit.suite.check import ERROR, FULL, SYSTEMD, Finding, Severity, check, report, require
from rootfs_kit.suite.unit_links import names_another_unit, says_how_it_fails, starts_its_unit
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.units import find_unit

TARGET = "kata-containers.target"
WANTED_BUS = f"/etc/systemd/system/{TARGET}.wants/dbus.socket"
# Below /run or, in older units, /var/run: where every client looks for the bus.
BUS_ADDRESS = "/dbus/system_bus_socket"
BUS_PROGRAMS = ("/usr/bin/dbus-daemon", "/usr/bin/dbus-broker-launch", "/bin/dbus-daemon")
CONFIGURATIONS = ("/usr/share/dbus-1/system.conf", "/etc/dbus-1/system.conf")
# dbus-daemon(1), CONFIGURATION FILE: the user account that the daemon changes to.
USER = re.compile(r"<user>\s*([^<\s]+)\s*</user>")
NO_CGROUPS = "containers with a systemd cgroup path fail: Establishing a D-Bus connection"


@pytest.fixture(autouse=True)
def _systemd_is_the_init(rootfs: RootfsTree) -> None:
    skip_where_nvrc_is_init(rootfs, "it has no bus")


@check(
    "UNT-04", severity=ERROR, content=FULL, init=SYSTEMD, source="kata-containers#6657, #11126; systemd load-dropin.c"
)
def test_the_bus_is_started(rootfs: RootfsTree) -> None:
    """Guards against a guest without a system bus: the agent asks systemd for cgroups over it.

    The target must want dbus.socket, by a link: systemd passes over files in .wants/ that are none. Make it again with
    `systemctl add-wants`, or by hand.
    """
    require(
        starts_its_unit(rootfs, WANTED_BUS),
        WANTED_BUS,
        found=says_how_it_fails(rootfs, WANTED_BUS),
        expected="a link to the unit dbus.socket",
        at_boot="containers with a systemd cgroup path fail: Establishing a D-Bus connection",
        mend=f"link {WANTED_BUS} to /usr/lib/systemd/system/dbus.socket (and install dbus)",
    )
    require(
        not names_another_unit(rootfs, WANTED_BUS),
        WANTED_BUS,
        found=rootfs.file(WANTED_BUS).describe(),
        expected="a link to the unit dbus.socket",
        at_boot="the guest boots: systemd goes by the name of the link, and warns that it leads elsewhere",
        mend=f"link {WANTED_BUS} to /usr/lib/systemd/system/dbus.socket",
        severity=Severity.WARN,
    )


@check(
    "UNT-04",
    severity=ERROR,
    content=FULL,
    init=SYSTEMD,
    source="systemd.socket(5), ListenStream=; D-Bus specification, System message bus",
)
def test_the_bus_socket_listens(rootfs: RootfsTree) -> None:
    """Guards against a dbus.socket that is masked, or that listens nowhere: systemd refuses both.

    Unmask it (`systemctl unmask`), and give its [Socket] section the ListenStream= that the distribution ships.
    """
    unit = find_unit(rootfs, "dbus.socket")
    if unit is None:
        pytest.skip("there is no dbus.socket: test_the_bus_is_started reports that")
    streams = unit.get("Socket", "ListenStream")
    require(
        not unit.masked and any(stream.endswith(BUS_ADDRESS) for stream in streams),
        unit.path,
        found="masked" if unit.masked else f"ListenStream={' '.join(streams) or '(none)'}",
        expected=f"ListenStream=/run{BUS_ADDRESS}",
        at_boot=NO_CGROUPS,
        mend="unmask the socket" if unit.masked else "install dbus.socket as the distribution ships it",
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


@check("UNT-04", severity=ERROR, content=FULL, init=SYSTEMD, source="kata-containers#12934; systemd.socket(5)")
def test_the_bus_socket_has_a_service(rootfs: RootfsTree) -> None:
    """Guards against a dbus.socket that listens for nobody: it starts dbus.service, which may be an alias.

    Deleting units, or a package without its alias, leaves the socket alone. Put dbus.service back.
    """
    if find_unit(rootfs, "dbus.socket") is None:
        pytest.skip("there is no dbus.socket: test_the_bus_is_started reports that")
    unit = find_unit(rootfs, "dbus.service")
    programs = [line.program for line in unit.exec_lines("ExecStart")] if unit is not None else []
    absent = [program for program in programs if not rootfs.file(program).is_executable]
    if absent and not any(rootfs.file(program).is_executable for program in BUS_PROGRAMS):
        pytest.skip("no bus is installed: test_a_bus_implementation_is_installed reports that")
    require(
        unit is not None and not unit.masked and bool(programs) and not absent,
        unit.path if unit is not None else "/usr/lib/systemd/system/dbus.service",
        found="no such unit"
        if unit is None
        else "masked"
        if unit.masked
        else "ExecStart=" + (" ".join(absent or programs) or "(none)"),
        expected="dbus.service, or an alias of that name, which starts a program of the rootfs",
        at_boot=NO_CGROUPS,
        mend="install dbus.service (an alias of dbus-broker.service will do)",
    )


@check(
    "UNT-04",
    severity=ERROR,
    content=FULL,
    init=SYSTEMD,
    source="dbus-daemon(1), CONFIGURATION FILE; systemd.exec(5), User=",
)
def test_the_bus_can_be_configured(rootfs: RootfsTree) -> None:
    """Guards against a bus without its configuration, or without the user that it changes to.

    Trimming /usr/share, and an /etc/passwd from elsewhere, do that. Put the file back, and the user.
    """
    if not any(rootfs.file(program).is_executable for program in BUS_PROGRAMS):
        pytest.skip("no bus is installed: test_a_bus_implementation_is_installed reports that")
    present = [path for path in CONFIGURATIONS if rootfs.file(path).is_file]
    require(
        bool(present),
        CONFIGURATIONS[0],
        found=rootfs.file(CONFIGURATIONS[0]).describe(),
        expected="the configuration of the system bus",
        at_boot=f"the bus does not start: Failed to open system.conf; {NO_CGROUPS}",
        mend="install the package of the bus again, and do not trim /usr/share/dbus-1",
    )
    users = {user for path in present for user in USER.findall(rootfs.file(path).read_text())}
    known = users_of(rootfs).keys()
    require(
        users <= known,
        "/etc/passwd",
        found="no user " + ", ".join(sorted(users - known)),
        expected="the user that the system bus runs as",
        at_boot=f"the bus does not start: Could not get UID and GID for username; {NO_CGROUPS}",
        mend="add the user, or install the bus with its maintainer scripts",
    )
