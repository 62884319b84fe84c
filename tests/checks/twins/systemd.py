"""Known-bad twins: units, the bus, time."""

from __future__ import annotations

from tests.checks.twins.twin import ETC_SYSTEM, SYSTEM, Twin
from tests.support.defects import appended, both, copied, linked, removed, replaced, written
from tests.support.programs import static_program

TWINS = [
    # units
    Twin("no agent service", "UNT-01::test_agent_units_are_there", removed(f"{SYSTEM}/kata-agent.service")),
    Twin(
        "the target is masked",
        "UNT-01::test_agent_units_are_there",
        linked(f"{ETC_SYSTEM}/kata-containers.target", "/dev/null"),
    ),
    Twin(
        "the service starts a program that is not there",
        "UNT-01::test_agent_service_starts_a_program_that_is_there",
        replaced(f"{SYSTEM}/kata-agent.service", "/usr/bin/kata-agent", "/usr/libexec/kata-agent"),
    ),
    Twin(
        "sysinit.target is gone",
        "UNT-02::test_everything_the_target_requires_is_there",
        removed(f"{SYSTEM}/sysinit.target"),
    ),
    Twin(
        "basic.target is masked",
        "UNT-02::test_everything_the_target_requires_is_there",
        linked(f"{ETC_SYSTEM}/basic.target", "/dev/null"),
    ),
    Twin(
        "the agent conflicts with what its target requires",
        "UNT-02::test_nothing_the_target_requires_conflicts",
        written(f"{ETC_SYSTEM}/kata-agent.service.d/10.conf", "[Unit]\nConflicts=basic.target\n"),
    ),
    Twin(
        "basic.target does not want Kata's",
        "UNT-03::test_basic_target_wants_kata_containers",
        removed(f"{ETC_SYSTEM}/basic.target.wants"),
    ),
    Twin(
        "the link to Kata's target leads to no unit",
        "UNT-03::test_basic_target_wants_kata_containers",
        linked(f"{ETC_SYSTEM}/basic.target.wants/kata-containers.target", "/etc/passwd"),
    ),
    Twin(
        "Kata's target is wanted by a file that is no link",
        "UNT-03::test_basic_target_wants_kata_containers",
        written(f"{ETC_SYSTEM}/basic.target.wants/kata-containers.target", "[Unit]\n"),
    ),
    Twin(
        "nobody wants the bus", "UNT-04::test_the_bus_is_started", removed(f"{ETC_SYSTEM}/kata-containers.target.wants")
    ),
    Twin(
        "the bus is wanted by a file that is no link",
        "UNT-04::test_the_bus_is_started",
        written(f"{ETC_SYSTEM}/kata-containers.target.wants/dbus.socket", "[Socket]\n"),
    ),
    Twin(
        "the bus is wanted by an empty file",
        "UNT-04::test_the_bus_is_started",
        written(f"{ETC_SYSTEM}/kata-containers.target.wants/dbus.socket", ""),
    ),
    Twin(
        "the link to the bus leads to another unit",
        "UNT-04::test_the_bus_is_started",
        linked(f"{ETC_SYSTEM}/kata-containers.target.wants/dbus.socket", f"/{SYSTEM}/basic.target"),
    ),
    Twin(
        "the bus's socket is masked",
        "UNT-04::test_the_bus_socket_listens",
        linked(f"{ETC_SYSTEM}/dbus.socket", "/dev/null"),
    ),
    Twin(
        "the bus's socket listens nowhere",
        "UNT-04::test_the_bus_socket_listens",
        replaced(f"{SYSTEM}/dbus.socket", "ListenStream", "#ListenStream"),
    ),
    Twin("no bus is installed", "UNT-04::test_a_bus_implementation_is_installed", removed("usr/bin/dbus-daemon")),
    Twin(
        "dbus-broker without a journal",
        "UNT-04::test_dbus_broker_has_its_journal",
        both(
            copied(static_program, "usr/bin/dbus-broker-launch"),
            replaced(f"{SYSTEM}/dbus.service", "/usr/bin/dbus-daemon", "/usr/bin/dbus-broker-launch"),
        ),
    ),
    Twin("no tmp.mount", "UNT-05::test_tmp_mount_is_there", removed(f"{SYSTEM}/tmp.mount")),
    Twin(
        "tmp.mount mounts a disk",
        "UNT-05::test_tmp_mount_is_there",
        replaced(f"{SYSTEM}/tmp.mount", "tmpfs\nWhere", "/dev/vda\nWhere"),
    ),
    Twin("a machine id of its own", "UNT-06::test_machine_id_is_nobodys", written("etc/machine-id", "0" * 31 + "1\n")),
    Twin("no machine id at all", "UNT-06::test_machine_id_is_nobodys", removed("etc/machine-id")),
    Twin("no sync to stop with", "UNT-07::test_programs_that_stop_the_agent_are_there", removed("usr/bin/sync")),
    # time
    Twin("no chronyd", "TIM-01::test_chronyd_is_installed", removed("usr/sbin/chronyd")),
    Twin("no alias chronyd.service", "TIM-01::test_chronyd_service_is_there", removed(f"{ETC_SYSTEM}/chronyd.service")),
    Twin(
        "no host clock",
        "TIM-01::test_the_clock_follows_the_host",
        replaced("etc/chrony/chrony.conf", "refclock PHC", "#"),
    ),
    Twin(
        "a pool in the configuration",
        "TIM-02::test_nobody_on_the_internet_is_asked_for_the_time",
        appended("etc/chrony/chrony.conf", "pool ntp.example iburst\n"),
    ),
    Twin(
        "a pool in sources.d",
        "TIM-02::test_nobody_on_the_internet_is_asked_for_the_time",
        written("etc/chrony/sources.d/default.sources", "pool ntp.example iburst\n"),
        "agent-init",
    ),
    Twin(
        "timesyncd is enabled",
        "TIM-02::test_no_other_daemon_sets_the_clock",
        both(
            written(f"{SYSTEM}/systemd-timesyncd.service", "[Service]\nExecStart=/bin/sync\n"),
            linked(
                f"{ETC_SYSTEM}/sysinit.target.wants/systemd-timesyncd.service", f"/{SYSTEM}/systemd-timesyncd.service"
            ),
        ),
    ),
    Twin(
        "the unit does not ask for the PTP clock",
        "TIM-03::test_chronyd_waits_for_no_clock_that_is_not_there",
        replaced(f"{SYSTEM}/chrony.service", "ConditionPathExists=/dev/ptp0\n", ""),
    ),
    Twin(
        "the unit insists on its state directory",
        "TIM-03::test_chronyd_does_without_its_state_directory",
        replaced(f"{SYSTEM}/chrony.service", "=-/var/lib/chrony", "=/var/lib/chrony"),
    ),
    Twin(
        "the unit's user does not exist",
        "TIM-03::test_chronyd_runs_as_a_user_that_exists",
        replaced("etc/passwd", "_chrony", "someone"),
    ),
    # the target, and what is said in the units
    Twin(
        "the target does not start the agent",
        "UNT-01::test_the_target_starts_the_agent",
        replaced(f"{SYSTEM}/kata-containers.target", "Requires=kata-agent.service\n", ""),
    ),
    Twin(
        "a line of the service is no assignment",
        "UNT-01::test_agent_units_are_understood",
        replaced(f"{SYSTEM}/kata-agent.service", "StandardOutput=tty", "StandardOutput tty"),
    ),
    Twin(
        "an initrd without a default target",
        "UNT-03::test_initrd_boots_to_a_default_target",
        removed(f"{SYSTEM}/default.target"),
        "systemd-initrd",
        features=("initrd",),
    ),
    Twin("the bus's service is gone", "UNT-04::test_the_bus_socket_has_a_service", removed(f"{SYSTEM}/dbus.service")),
    Twin(
        "the bus's service is masked",
        "UNT-04::test_the_bus_socket_has_a_service",
        linked(f"{ETC_SYSTEM}/dbus.service", "/dev/null"),
    ),
    Twin("the bus has no configuration", "UNT-04::test_the_bus_can_be_configured", removed("usr/share/dbus-1")),
    Twin(
        "the bus's user is gone", "UNT-04::test_the_bus_can_be_configured", replaced("etc/passwd", "messagebus", "bus")
    ),
    Twin(
        "half of the extension mounts",
        "UNT-09::test_extension_mounts_are_whole",
        written("usr/libexec/kata-extension-mount.sh", "#!/bin/bash\n", 0o755),
    ),
]
