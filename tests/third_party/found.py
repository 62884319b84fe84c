"""What the suite finds in a tree of a stranger, by check and test, without the items that the tests are about."""

from __future__ import annotations

from pathlib import Path

from rootfs_kit.suite.verdict import State
from tests.support.verdicts import caught, judged


def found_in(rootfs: Path, **options: object) -> set[str]:
    """Everything that fails or warns. All of the tree could be looked at, and no check broke."""
    verdict = judged(rootfs, **options)
    assert [result.nodeid for result in verdict.of(State.UNKNOWN, State.BROKEN)] == []
    return set(caught(verdict))


NO_AGENT_AS_INIT = {
    # Nobody put an agent into it: init is busybox, and there is no kata-agent by any name.
    "AGT-01::test_agent_is_reachable_by_its_own_name",
    "INI-03::test_init_is_the_agent",
}
NO_IPTABLES = {
    # The agent starts these by fixed paths; a guest has the package, a base has not.
    "NET-03::test_iptables_is_where_the_agent_looks",
}
NO_MKFS = {
    # What block-backed volumes are formatted with is a package of its own.
    "STO-01::test_mkfs_ext4_runs",
}
NOT_OURS = {
    # Neither osbuilder nor rootfs-kit built it.
    "YML-01::test_osbuilder_yaml_is_there",
}
NO_RESOLVER = {
    # The file is absent: the agent would find nothing to mount the sandbox's resolver over.
    "NET-01::test_resolv_conf_is_a_regular_file",
}
NO_SYSTEMD = {
    # No init at all, so that detection falls back to systemd, which is not there either, nor its units.
    "INI-01::test_init_is_executable",
    "INI-05::test_systemd_is_executable",
    "UNT-01::test_agent_units_are_there",
    "UNT-03::test_basic_target_wants_kata_containers",
    "UNT-04::test_a_bus_implementation_is_installed",
    "UNT-04::test_the_bus_is_started",
    "UNT-05::test_tmp_mount_is_there",
    "UNT-06::test_machine_id_is_nobodys",
    "TIM-01::test_chronyd_is_installed",
    "AGT-01::test_agent_is_installed",
}
