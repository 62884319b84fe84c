"""The known-bad twins: a good tree, one defect, and the one check that must go red, with no other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rootfs_kit.suite.catalogue import catalogue
from rootfs_kit.suite.verdict import State
from tests.support import trees
from tests.support.agents import foreign_agent, packed_agent, stand_in_agent, stand_in_agent_with_debug_info
from tests.support.defects import (
    Defect,
    a_directory,
    appended,
    both,
    chmodded,
    copied,
    linked,
    removed,
    replaced,
    written,
)
from tests.support.programs import dynamic_program, kernel_module, static_program
from tests.support.requirements import needs_program
from tests.support.verdicts import caught, judged

pytestmark = needs_program("cc", "depmod")

SYSTEM = "usr/lib/systemd/system"
ETC_SYSTEM = "etc/systemd/system"
MODULES = f"usr/lib/modules/{trees.KERNEL}"
YAML = "var/lib/osbuilder/osbuilder.yaml"


PASSWD = '[files."/etc/passwd"]\nmode = "0644"\n'
WAIVER = '[[waivers]]\ncheck = "{check}"\nreason = "known"\nuntil = {until}\n'


def nothing(root: Path) -> None:
    """The tree is good; what is asked of it is not."""


@dataclass(frozen=True)
class Twin:
    """`check::test` must be the only one that finds anything once `defect` was done to a tree of `kind`."""

    story: str
    finds: str
    defect: Defect
    kind: str = "systemd"
    profile: str = "auto"
    features: tuple[str, ...] = field(default=())
    expect: str = ""


GOOD: dict[str, Callable[[Path], Path]] = {
    "systemd": trees.systemd_guest,
    "agent-init": trees.agent_init_guest,
    "policy": trees.policy_guest,
    "confidential": trees.confidential_guest,
    "overlay": trees.systemd_overlay,
    "agent-init-overlay": trees.agent_init_overlay,
}

# Checks whose twins need more than one defect in a small tree: the tests beside this one break them.
SEEN_ELSEWHERE = {"LAY-01::test_every_part_of_the_rootfs_can_be_read"}

TWINS = [
    # layout
    Twin("no /proc to mount on", "LAY-02::test_mount_point_is_there", removed("proc")),
    Twin("/sys is a file", "LAY-02::test_mount_point_is_there", both(removed("sys"), written("sys", ""))),
    Twin("/tmp is not sticky", "LAY-02::test_tmp_is_sticky_and_open_to_all", chmodded("tmp", 0o755)),
    Twin("only root may enter /", "LAY-02::test_root_directory_can_be_searched_by_all", chmodded("", 0o700)),
    Twin("/var/run is a directory of its own", "LAY-03::test_var_run_is_run", a_directory("var/run")),
    Twin("/var/tmp leads nowhere", "LAY-03::test_var_tmp_is_a_directory", linked("var/tmp", "../nowhere")),
    Twin("a tarball made /lib64 a directory", "LAY-04::test_merged_usr_is_whole", a_directory("lib64")),
    Twin("/lib64 leads out of /usr", "LAY-04::test_merged_usr_links_lead_into_usr", linked("lib64", "run")),
    Twin("/etc/localtime dangles", "LAY-05::test_critical_links_lead_somewhere", linked("etc/localtime", "/usr/gone")),
    # init
    Twin("init dangles", "INI-01::test_init_is_executable", linked("usr/sbin/init", "/nowhere"), profile="systemd"),
    Twin("init may not be executed", "INI-01::test_init_is_executable", chmodded("usr/sbin/init", 0o644), "agent-init"),
    Twin(
        "a systemd guest where the agent was to be init",
        "INI-02::test_init_is_the_kind_that_was_asked_for",
        nothing,
        profile="agent-init",
    ),
    Twin(
        "another init than the agent",
        "INI-03::test_init_is_the_agent",
        both(copied(static_program, "usr/sbin/init"), copied(stand_in_agent, "usr/bin/kata-agent")),
        "agent-init",
        profile="agent-init",
    ),
    Twin(
        "an initrd without /init",
        "INI-04::test_initrd_has_an_init_at_its_root",
        nothing,
        features=("initrd",),
    ),
    Twin(
        "an initrd whose /init is another program",
        "INI-04::test_initrd_has_an_init_at_its_root",
        linked("init", "bin/bash"),
        "agent-init",
        features=("initrd",),
    ),
    Twin(
        "systemd is somewhere else",
        "INI-05::test_systemd_is_executable",
        both(
            copied(static_program, "usr/lib/other/systemd"),
            linked("usr/sbin/init", "../lib/other/systemd"),
            chmodded("usr/lib/systemd/systemd", 0o644),
        ),
        profile="systemd",
    ),
    Twin(
        "the overlay's init is a shell",
        "INI-06::test_overlay_leads_init_to_systemd",
        linked("init", "bin/sh"),
        "overlay",
    ),
    Twin(
        "the overlay's /init starts systemd",
        "INI-06::test_agent_init_overlay_does_not_start_systemd",
        linked("init", "usr/lib/systemd/systemd"),
        "agent-init-overlay",
    ),
    # agent
    Twin("no agent", "AGT-01::test_agent_is_installed", removed("usr/bin/kata-agent"), profile="systemd"),
    Twin(
        "the agent is only init",
        "AGT-01::test_agent_is_reachable_by_its_own_name",
        removed("usr/bin/kata-agent"),
        "agent-init",
    ),
    Twin(
        "anybody may write the agent",
        "AGT-01::test_agent_belongs_to_root_and_only_root_writes_it",
        chmodded("usr/bin/kata-agent", 0o777),
    ),
    Twin(
        "another program under the agent's name",
        "AGT-01::test_agent_is_kata_agent",
        copied(static_program, "usr/bin/kata-agent"),
    ),
    Twin("an empty agent", "AGT-01::test_agent_is_kata_agent", written("usr/bin/kata-agent", "", 0o755)),
    Twin(
        "an agent for another machine",
        "AGT-02::test_agent_is_built_for_this_guest",
        copied(foreign_agent, "usr/bin/kata-agent"),
    ),
    Twin(
        "an agent that lacks a library",
        "AGT-03::test_agent_finds_its_loader_and_libraries",
        copied(lambda: stand_in_agent("libseccomp.so.2"), "usr/bin/kata-agent"),
    ),
    Twin(
        "an agent with debug information",
        "AGT-04::test_agent_is_stripped",
        copied(stand_in_agent_with_debug_info, "usr/bin/kata-agent"),
    ),
    Twin("a second, different agent", "AGT-06::test_there_is_one_agent", written("usr/sbin/kata-agent", "old", 0o755)),
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
        "basic.target does not want Kata's",
        "UNT-03::test_basic_target_wants_kata_containers",
        removed(f"{ETC_SYSTEM}/basic.target.wants"),
    ),
    Twin(
        "nobody wants the bus", "UNT-04::test_the_bus_is_started", removed(f"{ETC_SYSTEM}/kata-containers.target.wants")
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
    # network
    Twin("resolv.conf is a link", "NET-01::test_resolv_conf_is_a_regular_file", linked("etc/resolv.conf", "/run/stub")),
    Twin("no resolv.conf", "NET-01::test_resolv_conf_is_a_regular_file", removed("etc/resolv.conf"), "overlay"),
    Twin(
        "the build host's resolver",
        "NET-01::test_resolv_conf_holds_no_build_host_resolver",
        written("etc/resolv.conf", "nameserver 192.0.2.1\n"),
    ),
    Twin("the build host's name", "NET-02::test_hostname_is_nobodys", written("etc/hostname", "builder-7\n")),
    Twin(
        "the build host's network",
        "NET-02::test_hosts_names_only_the_guest_itself",
        written("etc/hosts", "192.0.2.7 db\n"),
    ),
    Twin("no iptables-restore", "NET-03::test_iptables_is_where_the_agent_looks", removed("usr/sbin/iptables-restore")),
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
    # modules
    Twin(
        "a module was removed",
        "MOD-01::test_module_index_agrees_with_the_files",
        removed(f"{MODULES}/kernel/made_base.ko"),
    ),
    Twin("depmod never ran", "MOD-01::test_module_index_agrees_with_the_files", removed(f"{MODULES}/modules.dep")),
    Twin(
        "modules of another kernel",
        "MOD-02::test_modules_are_of_their_kernel",
        copied(lambda: kernel_module("made_base", "6.9.9-other"), f"{MODULES}/kernel/made_base.ko"),
    ),
    Twin("no modprobe", "MOD-03::test_modprobe_is_where_the_agent_looks", removed("usr/sbin/modprobe")),
    # policy
    Twin("no policy for an agent that needs one", "POL-01::test_policy_can_be_read", removed("etc/kata-opa"), "policy"),
    Twin(
        "an empty policy",
        "POL-01::test_policy_can_be_read",
        written("etc/kata-opa/default-policy.rego", ""),
        "policy",
    ),
    Twin(
        "a policy in another package",
        "POL-01::test_policy_is_in_the_agents_package",
        replaced("etc/kata-opa/allow-all.rego", "package agent_policy", "package other"),
        "policy",
    ),
    Twin(
        "a policy that no agent enforces",
        "POL-02::test_policy_is_enforced_by_the_agent",
        copied(stand_in_agent, "usr/bin/kata-agent"),
        "policy",
    ),
    # confidential
    Twin(
        "one guest component is missing",
        "COC-01::test_guest_component_runs",
        removed("usr/local/bin/attestation-agent"),
        "confidential",
    ),
    Twin(
        "a guest component lacks a library",
        "COC-01::test_guest_component_runs",
        copied(lambda: dynamic_program("libtss2.so.0"), "usr/local/bin/attestation-agent"),
        "confidential",
    ),
    Twin(
        "ocicrypt's configuration is cut off",
        "COC-01::test_ocicrypt_configuration_can_be_read",
        written("etc/ocicrypt_config.json", '{"key-'),
        "confidential",
    ),
    Twin(
        "the pause bundle's program is missing",
        "COC-02::test_pause_bundle_can_be_started",
        removed("pause_bundle/rootfs/pause"),
        "confidential",
    ),
    Twin("no cryptsetup", "COC-03::test_secure_storage_tool_runs", removed("usr/sbin/cryptsetup"), "confidential"),
    Twin(
        "no certificates",
        "COC-03::test_certificates_are_installed",
        removed("etc/ssl/certs/ca-certificates.crt"),
        "confidential",
    ),
    Twin("/run is as small as ever", "COC-03::test_run_has_room_for_images", removed("etc/fstab"), "confidential"),
    # storage
    Twin("no mke2fs.conf", "STO-01::test_mkfs_ext4_runs", removed("etc/mke2fs.conf")),
    Twin(
        "mkfs.ext4 lacks a library",
        "STO-01::test_mkfs_ext4_runs",
        copied(lambda: dynamic_program("libext2fs.so.2"), "usr/sbin/mkfs.ext4"),
    ),
    # console
    Twin(
        "no shell for the console",
        "DBG-01::test_debug_console_has_a_shell",
        both(removed("usr/bin/bash"), copied(static_program, "usr/bin/busybox"), linked("usr/bin/sh", "busybox")),
        features=("debug-console",),
    ),
    # packages
    Twin(
        "iptables is not installed",
        "PKG-01::test_required_package_is_installed",
        replaced("var/lib/dpkg/status", "Package: iptables", "Package: ip"),
    ),
    Twin(
        "a package was removed, its configuration stayed",
        "PKG-01::test_required_package_is_installed",
        replaced(
            "var/lib/dpkg/status",
            "Package: kmod\nStatus: install ok installed",
            "Package: kmod\nStatus: deinstall ok config-files",
        ),
    ),
    Twin(
        "apt's lists are left", "PKG-03::test_no_package_cache_is_left", written("var/lib/apt/lists/main_Packages", "x")
    ),
    Twin("a compiler is left", "PKG-03::test_no_build_tools_are_left", copied(static_program, "usr/bin/gcc")),
    Twin(
        "ssh host keys are left",
        "PKG-03::test_no_machine_secrets_are_left",
        written("etc/ssh/ssh_host_rsa_key", "secret"),
    ),
    # metadata
    Twin("no osbuilder.yaml", "YML-01::test_osbuilder_yaml_is_there", removed(YAML)),
    Twin(
        "osbuilder.yaml is cut off", "YML-01::test_osbuilder_yaml_can_be_read", written(YAML, 'osbuilder:\n  url: "x')
    ),
    Twin("osbuilder.yaml of another format", "YML-01::test_osbuilder_yaml_can_be_read", replaced(YAML, "0.0.2", "0.9")),
    Twin(
        "osbuilder.yaml lost a field",
        "YML-01::test_osbuilder_yaml_can_be_read",
        replaced(YAML, '  version: "13"\n', ""),
    ),
    Twin(
        "osbuilder.yaml of another machine",
        "YML-01::test_osbuilder_yaml_names_the_architecture",
        replaced(YAML, 'architecture: "', 'architecture: "not-'),
    ),
    Twin(
        "osbuilder.yaml of the other init mode",
        "INI-02::test_osbuilder_yaml_names_the_init_mode",
        replaced(YAML, 'daemon: "no"', 'daemon: "yes"'),
    ),
    # expectations
    Twin("another distribution", "EXP-01::test_distro_is_as_expected", nothing, expect='distro = "alpine"'),
    Twin("another release", "EXP-01::test_release_is_as_expected", nothing, expect='release = "12"'),
    Twin("another machine", "EXP-01::test_architecture_is_as_expected", nothing, expect='arch = "s390x"'),
    Twin(
        "modules of another kernel than expected",
        "EXP-01::test_modules_of_the_expected_kernel_are_there",
        nothing,
        expect='kernel = "6.99"',
    ),
    Twin("a file of another mode", "EXP-02::test_file_is_as_expected", chmodded("etc/passwd", 0o666), expect=PASSWD),
    Twin("an expected module", "EXP-03::test_expected_module_is_there", nothing, expect='modules = ["virtiofs"]'),
    Twin("an expected unit", "EXP-04::test_required_unit_is_there", nothing, expect='units = ["mine.service"]'),
    Twin(
        "an unwanted package",
        "EXP-05::test_unwanted_packages_are_absent",
        nothing,
        expect='[packages]\nkmod = "absent"',
    ),
    Twin(
        "a setuid program",
        "EXP-06::test_only_expected_files_are_setuid",
        chmodded("usr/bin/sh", 0o4755),
        expect='setuid = "none"',
    ),
    Twin(
        "a waiver of nothing",
        "EXP-07::test_waiver_names_a_check",
        nothing,
        expect=WAIVER.format(check="INT-01", until="2999-01-01"),
    ),
    Twin(
        "a waiver that ended",
        "EXP-07::test_waiver_has_not_ended",
        nothing,
        expect=WAIVER.format(check="INI-01", until="2020-01-01"),
    ),
    # size
    Twin("over the budget", "SIZ-01::test_rootfs_keeps_its_size_budget", nothing, expect='size-budget = "1 KiB"'),
    # extra packages
    Twin(
        "an extra package was never installed",
        "PKG-02::test_extra_packages_were_really_installed",
        written("var/lib/osbuilder/manifest.json", '{"packages": {"extra": ["strace"]}}'),
    ),
    Twin("a packed agent", "AGT-04::test_agent_is_not_packed", copied(packed_agent, "usr/bin/kata-agent")),
    # gate
    Twin(
        "init is an absolute link to the agent",
        "GAT-01::test_image_builder_takes_the_agent_as_init",
        both(
            removed("usr/bin/kata-agent"),
            copied(stand_in_agent, "usr/bin/kata-agent"),
            linked("usr/sbin/init", "/usr/bin/kata-agent"),
        ),
        "agent-init",
    ),
    Twin(
        "the agent's place is an absolute link",
        "GAT-01::test_initrd_builder_finds_the_agent",
        both(copied(stand_in_agent, "opt/kata-agent"), linked("usr/bin/kata-agent", "/opt/kata-agent")),
    ),
]


@pytest.fixture(scope="module")
def good_trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    where = tmp_path_factory.mktemp("good")
    return {kind: make(where / kind) for kind, make in GOOD.items()}


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_tree_passes_without_a_word(good_trees: dict[str, Path], kind: str) -> None:
    verdict = judged(good_trees[kind])
    assert caught(verdict) == {}
    assert verdict.exit_code == 0
    assert verdict.count(State.PASSED) > 5


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: f"{twin.finds.partition('::')[0]} {twin.story}")
def test_defect_is_caught_by_its_check_and_no_other(good_trees: dict[str, Path], tmp_path: Path, twin: Twin) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(good_trees[twin.kind], broken, symlinks=True)
    twin.defect(broken)
    expectation = tmp_path / "expect.toml"
    expectation.write_text(twin.expect)
    expect = expectation if twin.expect else None
    verdict = judged(broken, profile=twin.profile, features=twin.features, expect=expect)
    assert set(caught(verdict)) == {twin.finds}


def test_every_check_has_a_twin() -> None:
    declared = {f"{entry.info.id}::{entry.name}" for entry in catalogue() if entry.info.severity != "info"}
    assert declared - {twin.finds for twin in TWINS} - SEEN_ELSEWHERE == set()
