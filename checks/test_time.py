"""Time: a guest's clock follows its host's through /dev/ptp0, and asks nobody on the Internet."""

from __future__ import annotations

import pytest

from rootfs_kit.suite.accounts import users_of
from rootfs_kit.suite.agent_units import skip_where_nvrc_is_init
from rootfs_kit.suite.check import AGENT_INIT, FULL, INFO, SYSTEMD, WARN, Finding, check, report, require
from rootfs_kit.suite.clock import ChronyConfiguration, read_chrony
from rootfs_kit.suite.profile import Profile
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.units import Unit, find_unit

PROGRAMS = ("/usr/sbin/chronyd", "/sbin/chronyd", "/usr/bin/chronyd")
UNIT = "chronyd.service"
ENABLED = "/etc/systemd/system"
OTHER_DAEMONS = (
    "ntp.service", "ntpd.service", "ntpdate.service", "ntpsec.service", "openntpd.service",
    "systemd-timesyncd.service",
)  # fmt: skip
DRIFT = "the guest's clock drifts away from its host's: TLS certificates and leases expire at the wrong time"


def the_configuration(rootfs: RootfsTree) -> ChronyConfiguration:
    if not _has_chronyd(rootfs):
        pytest.skip("there is no chronyd: test_chronyd_is_installed reports that")
    configuration = read_chrony(rootfs)
    if configuration is None:
        pytest.skip("chronyd has no configuration file: test_the_clock_follows_the_host reports that")
    return configuration


def the_unit(rootfs: RootfsTree) -> Unit:
    unit = find_unit(rootfs, UNIT) or find_unit(rootfs, "chrony.service")
    if unit is None:
        pytest.skip("there is no chronyd.service: test_chronyd_service_is_there reports that")
    return unit


def _has_chronyd(rootfs: RootfsTree) -> bool:
    return any(rootfs.file(path).is_executable for path in PROGRAMS)


@check("TIM-01", severity=WARN, content=FULL, init=SYSTEMD, source="kata-containers/osbuilder#255")
def test_chronyd_is_installed(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against a guest that nothing keeps in time. Install chrony."""
    skip_where_nvrc_is_init(rootfs, "it starts no chronyd")
    require(
        _has_chronyd(rootfs),
        PROGRAMS[0],
        found="no chronyd",
        expected="chronyd, executable",
        at_boot=DRIFT,
        mend="install chrony",
    )


@check("TIM-01", severity=WARN, content=FULL, init=SYSTEMD, source="kata-containers.target: Wants=chronyd.service")
def test_chronyd_service_is_there(rootfs: RootfsTree) -> None:
    """Guards against a chronyd that nobody starts: Kata's target wants it by the name chronyd.service.

    Debian calls the unit chrony.service; the alias must be there as a link.
    """
    if not _has_chronyd(rootfs):
        pytest.skip("there is no chronyd: test_chronyd_is_installed reports that")
    unit = find_unit(rootfs, UNIT)
    require(
        unit is not None and not unit.masked,
        unit.path if unit else f"/etc/systemd/system/{UNIT}",
        found="masked" if unit else "no such unit or alias",
        expected=f"{UNIT}, the name that kata-containers.target wants",
        at_boot=DRIFT,
        mend=f"link /etc/systemd/system/{UNIT} to chrony's own unit",
    )


@check("TIM-01", severity=WARN, content=FULL, init=SYSTEMD, source="kata-containers#4167; chrony.conf(5), refclock")
def test_the_clock_follows_the_host(rootfs: RootfsTree) -> None:
    """Guards against a chronyd that does not read the host's clock: refclock PHC /dev/ptp0, and makestep, once each."""
    if not _has_chronyd(rootfs):
        pytest.skip("there is no chronyd: test_chronyd_is_installed reports that")
    configuration = read_chrony(rootfs)
    clocks = configuration.values("refclock") if configuration else ()
    host_clocks = [value for value in clocks if value.split()[:2] == ["PHC", "/dev/ptp0"]]
    path = configuration.path if configuration else "/etc/chrony.conf"
    require(
        len(host_clocks) == 1,
        path,
        found=f"{len(host_clocks)} lines that read the host's clock",
        expected="one line: refclock PHC /dev/ptp0 poll 3 dpoll -2 offset 0",
        at_boot=DRIFT,
        mend="add the refclock line to chrony's configuration",
    )
    steps = configuration.values("makestep") if configuration else ()
    require(
        any(value.split()[1:] == ["-1"] for value in steps),
        path,
        found="makestep " + ", ".join(steps) if steps else "no makestep",
        expected="makestep 1 -1",
        at_boot="after the host suspends, the guest's clock takes hours to catch up",
        mend="add makestep 1 -1 to chrony's configuration",
    )


@check("TIM-02", severity=WARN, content=FULL, source="chrony.conf(5): server, pool, peer, sourcedir, confdir")
def test_nobody_on_the_internet_is_asked_for_the_time(rootfs: RootfsTree) -> None:
    """Guards against NTP sources in the configuration, and in the directories that it includes.

    Ubuntu 26.04 keeps its pools in sources.d, where Kata's own build leaves them on. Remove them.
    """
    configuration = the_configuration(rootfs)
    report(
        Finding(
            source.path,
            found=f"{source.directive} {source.value}",
            expected="no server, pool or peer: the host's clock is enough",
            at_boot="every guest asks that server for the time, or waits for a network that it does not have",
            mend=f"remove that line from {source.path}",
        )
        for source in configuration.network_sources
    )


@check(
    "TIM-02",
    severity=WARN,
    content=FULL,
    init=SYSTEMD,
    source="systemd-timesyncd.service(8); systemd.unit(5), WantedBy=",
)
def test_no_other_daemon_sets_the_clock(rootfs: RootfsTree) -> None:
    """Guards against a second time daemon that is enabled: it asks servers on the network, and fights with chronyd."""
    enabled = (
        f"{ENABLED}/{directory}/{name}"
        for directory in rootfs.listdir(ENABLED)
        if directory.endswith((".wants", ".requires"))
        for name in rootfs.listdir(f"{ENABLED}/{directory}")
        if name in OTHER_DAEMONS
    )
    report(
        Finding(
            path,
            found="a time daemon that is started at boot",
            expected="chronyd alone, which follows the host's clock",
            at_boot="every guest asks a server on the network for the time, and two daemons set one clock",
            mend=f"remove {path} (systemctl disable)",
        )
        for path in enabled
        if (unit := find_unit(rootfs, path.rpartition("/")[2])) is not None and not unit.masked
    )


@check("TIM-03", severity=WARN, content=FULL, init=SYSTEMD, source="kata-containers 1b7fd19acb; systemd.unit(5)")
def test_chronyd_waits_for_no_clock_that_is_not_there(rootfs: RootfsTree) -> None:
    """Guards against chronyd failing on a hypervisor without a PTP clock: the unit needs ConditionPathExists."""
    unit = the_unit(rootfs)
    require(
        "/dev/ptp0" in unit.get("Unit", "ConditionPathExists"),
        unit.path,
        found=f"ConditionPathExists={' '.join(unit.get('Unit', 'ConditionPathExists')) or '(none)'}",
        expected="ConditionPathExists=/dev/ptp0",
        at_boot="without a PTP clock chronyd fails, and systemd calls the guest degraded",
        mend="add ConditionPathExists=/dev/ptp0 in a drop-in of the unit",
    )


@check(
    "TIM-03", severity=WARN, content=FULL, init=SYSTEMD, source="kata-containers#4167; systemd.exec(5), ReadWritePaths="
)
def test_chronyd_does_without_its_state_directory(rootfs: RootfsTree) -> None:
    """Guards against a unit that insists on /var/lib/chrony, which a trimmed or read-only guest does not have."""
    unit = the_unit(rootfs)
    insisted = [
        path
        for value in unit.get("Service", "ReadWritePaths")
        for path in value.split()
        if path.startswith("/var/lib/chrony") and not rootfs.exists(path)
    ]
    require(
        not insisted,
        unit.path,
        found=f"ReadWritePaths={' '.join(insisted)}, which the rootfs does not have",
        expected="the path marked optional with a minus sign, or present",
        at_boot="systemd cannot set up the unit's mounts: chronyd does not start",
        mend="write ReadWritePaths=-/var/lib/chrony in the unit",
    )


@check("TIM-03", severity=WARN, content=FULL, init=SYSTEMD, source="systemd.exec(5), User=")
def test_chronyd_runs_as_a_user_that_exists(rootfs: RootfsTree) -> None:
    """Guards against a unit whose User= is not in /etc/passwd."""
    unit = the_unit(rootfs)
    users = [name for name in unit.get("Service", "User")[-1:] if name and not name.isdigit()]
    require(
        set(users) <= users_of(rootfs).keys(),
        unit.path,
        found=f"User={' '.join(users)}, who is not in /etc/passwd",
        expected="a user of the rootfs",
        at_boot="systemd refuses to start chronyd: Failed to determine user credentials",
        mend="add the user, or install chrony with its maintainer scripts",
    )


@check("TIM-04", severity=INFO, content=FULL, init=AGENT_INIT, source="kata-containers PR#13677")
def test_agent_init_guest_has_a_time_service(rootfs: RootfsTree) -> None:
    """Notes that nothing keeps an agent-init guest in time: the agent starts no chronyd in released versions."""
    require(
        _has_chronyd(rootfs),
        PROGRAMS[0],
        found="no chronyd",
        expected="chronyd, for agents that start it themselves",
        at_boot=DRIFT,
        mend="install chrony, once your agent starts it",
    )
