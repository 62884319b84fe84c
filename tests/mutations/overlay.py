"""What goes wrong in an overlay: Kata's files alone, for a base with systemd."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.support.agents import stand_in_agent_with_debug_info
from tests.support.defects import (
    a_directory,
    appended,
    both,
    chmodded,
    copied,
    given_to,
    linked,
    removed,
    replaced,
    written,
)  # fmt: skip
from tests.support.programs import static_program

AGENT = "usr/bin/kata-agent"
SYSTEM = "usr/lib/systemd/system"
YAML = "var/lib/osbuilder/osbuilder.yaml"

MUTATIONS = [
    Mutation("a real /lib, as rootfs.sh makes it", "OVL-01", a_directory("lib/systemd")),
    Mutation("a real /sbin, as rootfs.sh makes it", "OVL-01", both(a_directory("sbin"), linked("sbin/init", "/init"))),
    Mutation("a real /lib64", "OVL-01", written("lib64/libutil.so.1", "\x7fELF")),
    Mutation("a directory /var/run", "OVL-01", a_directory("var/run/kata")),
    Mutation("mktemp's mode", "OVL-01", chmodded("", 0o700)),
    Mutation("umask 077", "OVL-01", chmodded("etc/systemd/system", 0o700)),
    Mutation("made by a user", "OVL-01", given_to("etc", 1000, 1000)),
    Mutation("the users of the builder", "OVL-01", written("etc/subuid", "build:100000:65536\n")),
    Mutation("a library of the builder's", "OVL-01", written("usr/lib/x86_64-linux-gnu/libseccomp.so.2", "\x7fELF")),
    Mutation("/init is a shell", "INI-06", linked("init", "bin/sh")),
    Mutation("/sbin/init is the agent's directory", "INI-06", linked("usr/sbin/init", "../bin/kata-agent")),
    Mutation("no agent", "AGT-01", removed(AGENT)),
    Mutation("another program for the agent", "AGT-01", copied(static_program, AGENT)),
    Mutation("the agent is not executable", "AGT-01", chmodded(AGENT, 0o600)),
    Mutation("debug information", "AGT-04", copied(stand_in_agent_with_debug_info, AGENT)),
    Mutation("no service", "UNT-01", removed(f"{SYSTEM}/kata-agent.service")),
    Mutation("no target", "UNT-01", removed(f"{SYSTEM}/kata-containers.target")),
    Mutation("the target forgets the agent", "UNT-01", replaced(f"{SYSTEM}/kata-containers.target", "kata-agent.service", "")),
    Mutation("the service names another path", "UNT-01", replaced(f"{SYSTEM}/kata-agent.service", "=/usr/bin/kata-agent", "=/usr/libexec/kata-agent")),
    Mutation("half of the extension mounts", "UNT-09", written("usr/libexec/kata-extension-mount.sh", "#!/bin/bash\n", 0o755)),
    Mutation("resolv.conf is a link", "NET-01", linked("etc/resolv.conf", "/run/systemd/resolve/resolv.conf")),
    Mutation("the builder's resolver", "NET-01", written("etc/resolv.conf", "nameserver 10.0.0.2\n")),
    Mutation("an empty policy", "POL-01", written("etc/kata-opa/default-policy.rego", "")),
    Mutation("a policy for an agent without the feature", "POL-02", written("etc/kata-opa/default-policy.rego", "package agent_policy\n")),
    Mutation("a hook that is not executable", "HOK-01", written("usr/share/oci/hooks/poststop/clean", "#!/bin/sh\n")),
    Mutation("modules without an index", "MOD-01", written("usr/lib/modules/6.1.0/kernel/fs/fuse.ko", "\x7fELF")),
    Mutation("the yaml is cut off", "YML-01", written(YAML, "---\nosbuilder: [")),
    Mutation("the yaml lost its format", "YML-01", replaced(YAML, 'file-format-version: "0.0.2"\n', "")),
    Mutation("the yaml says the agent is init", "INI-02", replaced(YAML, 'daemon: "no"', 'daemon: "yes"')),
    Mutation("the yaml has a line too many", "YML-01", appended(YAML, "\tinit: yes\n")),
]  # fmt: skip
