"""Known-bad twins: the agent, its policy, guest components and hooks."""

from __future__ import annotations

from tests.checks.twins.twin import SYSTEM, YAML, Twin
from tests.support.agents import foreign_agent, stand_in_agent, stand_in_agent_with_debug_info
from tests.support.defects import both, chmodded, copied, given_to, linked, removed, replaced, shortened, written
from tests.support.programs import dynamic_program, static_program

TWINS = [
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
        "an init for another machine, and the right agent beside it",
        "AGT-02::test_agent_is_built_for_this_guest",
        both(
            removed("usr/bin/kata-agent"),
            copied(stand_in_agent, "usr/bin/kata-agent"),
            copied(foreign_agent, "usr/sbin/init"),
        ),
        "agent-init",
        along_with="AGT-06::test_there_is_one_agent",
    ),
    Twin(
        "anybody may write the agent that is init",
        "AGT-01::test_agent_belongs_to_root_and_only_root_writes_it",
        chmodded("usr/sbin/init", 0o757),
        "agent-init",
        along_with="LAY-06::test_only_root_may_change_the_system",
    ),
    Twin(
        "an init that was cut short",
        "AGT-03::test_agent_finds_its_loader_and_libraries",
        shortened("usr/sbin/init", 650),
        "agent-init",
        along_with="AGT-04::test_agent_is_stripped",
    ),
    Twin(
        "a text beside the agent that is init",
        "AGT-06::test_there_is_one_agent",
        both(removed("usr/bin/kata-agent"), written("usr/bin/kata-agent", "agent\n", 0o755)),
        "agent-init",
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
    # console
    Twin(
        "no shell for the console",
        "DBG-01::test_debug_console_has_a_shell",
        both(removed("usr/bin/bash"), copied(static_program, "usr/bin/busybox"), linked("usr/bin/sh", "busybox")),
        features=("debug-console",),
    ),
    # storage
    Twin("no mke2fs.conf", "STO-01::test_mkfs_ext4_runs", removed("etc/mke2fs.conf")),
    Twin(
        "mkfs.ext4 lacks a library",
        "STO-01::test_mkfs_ext4_runs",
        copied(lambda: dynamic_program("libext2fs.so.2"), "usr/sbin/mkfs.ext4"),
    ),
    # which agent runs
    Twin(
        "the unit starts another program",
        "AGT-06::test_the_unit_starts_this_agent",
        both(
            copied(static_program, "opt/kata/bin/agent"),
            replaced(f"{SYSTEM}/kata-agent.service", "/usr/bin/kata-agent", "/opt/kata/bin/agent"),
        ),
    ),
    Twin(
        "anybody may write the agent that is init",
        "AGT-01::test_agent_belongs_to_root_and_only_root_writes_it",
        given_to("usr/sbin/init", 100, 0),
        "agent-init",
    ),
    # storage of a confidential guest
    Twin(
        "nobody applies the size of /run",
        "COC-03::test_run_is_mounted_anew",
        removed(f"{SYSTEM}/kata-containers.target.requires"),
        "confidential",
    ),
    # hooks
    Twin(
        "a hook may not be executed",
        "HOK-01::test_guest_hooks_can_be_run",
        written("usr/share/oci/hooks/prestart/setup.sh", "#!/bin/sh\n"),
    ),
    Twin(
        "a hook is a link",
        "HOK-01::test_guest_hooks_can_be_run",
        linked("usr/share/oci/hooks/poststop/setup.sh", "/bin/sh"),
    ),
    Twin(
        "a misspelt directory of hooks",
        "HOK-01::test_guest_hooks_are_of_a_known_kind",
        written("usr/share/oci/hooks/pre-start/setup.sh", "#!/bin/sh\n", 0o755),
    ),
    # SELinux
    Twin(
        "a policy that is not installed",
        "SEL-01::test_selinux_policy_is_installed",
        removed("etc/selinux/default/policy"),
        "selinux",
    ),
    Twin(
        "a policy without labels",
        "SEL-01::test_selinux_labels_can_be_set",
        removed("etc/selinux/default/contexts"),
        "selinux",
    ),
    Twin(
        "a policy that nobody loads",
        "SEL-01::test_selinux_policy_is_loaded",
        both(copied(stand_in_agent, "usr/sbin/init"), linked("usr/bin/kata-agent", "../sbin/init"), removed(YAML)),
        "selinux",
        along_with="YML-01::test_osbuilder_yaml_is_there",
    ),
]
