"""What goes wrong in a Debian guest whose init is the agent."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.support.agents import foreign_agent, stand_in_agent, stand_in_agent_with_debug_info
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
from tests.support.programs import static_program, systemd_program

INIT = "usr/sbin/init"
AGENT = "usr/bin/kata-agent"
YAML = "var/lib/osbuilder/osbuilder.yaml"
INITRD = ("initrd",)

MUTATIONS = [
    Mutation("no /run to mount on", "LAY-02", removed("run")),
    Mutation("/var/run leads to /tmp", "LAY-03", linked("var/run", "../tmp")),
    Mutation("tar replaced /lib64", "LAY-04", a_directory("lib64")),
    Mutation("the zone of the clock dangles", "LAY-05", linked("etc/localtime", "/usr/share/zoneinfo/Mars/Phobos")),
    Mutation("unpacked as a user", "LAY-06", given_to("usr/lib/os-release", 1000, 1000)),
    Mutation("a root directory of mktemp's", "LAY-02", chmodded("", 0o700)),
    Mutation("no init", "INI-01", removed(INIT)),
    Mutation("init is not executable", "INI-01", chmodded(INIT, 0o644)),
    Mutation("init goes round in a loop", "INI-01", linked(INIT, "init")),
    Mutation("init is /bin/true", "INI-03", linked(INIT, "../bin/true")),
    Mutation("init is busybox", "INI-03", copied(static_program, INIT)),
    Mutation("init is a shell script", "INI-03", written(INIT, "#!/bin/sh\nexec /usr/bin/kata-agent\n", 0o755)),
    Mutation("init is systemd after all", "INI-02", both(copied(systemd_program, "usr/lib/systemd/systemd"), linked(INIT, "../lib/systemd/systemd"))),
    Mutation("an initrd without /init", "INI-04", removed("init"), INITRD),
    Mutation("an initrd that starts systemd", "INI-04", linked("init", "usr/lib/systemd/systemd"), INITRD),
    Mutation("an initrd by two links", "INI-04", both(linked("init", "start"), linked("start", "usr/sbin/init")), INITRD),
    Mutation("an initrd without /dev/null", "LAY-07", removed("dev/null"), INITRD),
    Mutation("no agent by its own name", "AGT-01", removed(AGENT)),
    Mutation("the agent's link dangles", "AGT-01", linked(AGENT, "../sbin/agent")),
    Mutation("the agent is somebody's", "AGT-01", given_to(INIT, 1000, 1000)),
    Mutation("anybody may write init", "AGT-01", chmodded(INIT, 0o777)),
    Mutation("an agent for another machine", "AGT-02", copied(foreign_agent, INIT)),
    Mutation("an init for another machine beside the agent", "AGT-02", both(removed(AGENT), copied(stand_in_agent, AGENT), copied(foreign_agent, INIT))),
    Mutation("a text beside the agent that is init", "AGT-06", both(removed(AGENT), written(AGENT, "agent\n", 0o755))),
    Mutation("a glibc agent lacks a library", "AGT-03", copied(lambda: stand_in_agent("libudev.so.9"), INIT)),
    Mutation("debug information", "AGT-04", copied(stand_in_agent_with_debug_info, INIT)),
    Mutation("an older agent beside it", "AGT-06", written("usr/local/bin/kata-agent", "\x7fELF older", 0o755)),
    Mutation("an absolute link to the agent", "GAT-01", both(removed(AGENT), copied(stand_in_agent, AGENT), linked(INIT, "/usr/bin/kata-agent"))),
    Mutation("no resolv.conf", "NET-01", removed("etc/resolv.conf")),
    Mutation("resolv.conf is a directory", "NET-01", a_directory("etc/resolv.conf")),
    Mutation("the container's resolver", "NET-01", written("etc/resolv.conf", "nameserver 10.0.2.3\n")),
    Mutation("the container's name", "NET-02", written("etc/hostname", "f3a9c02b1d44\n")),
    Mutation("the container's hosts", "NET-02", appended("etc/hosts", "172.17.0.3 f3a9c02b1d44\n")),
    Mutation("no iptables", "NET-03", removed("usr/sbin/iptables-save")),
    Mutation("Debian's pool", "TIM-02", appended("etc/chrony/chrony.conf", "pool 2.debian.pool.ntp.org iburst\n")),
    Mutation("no e2fsprogs", "STO-01", removed("usr/sbin/mkfs.ext4")),
    Mutation("iptables lost its library", "ELF-01", removed("usr/lib/x86_64-linux-gnu/libnftnl.so.11")),
    Mutation("the shell lost the C library", "ELF-01", removed("usr/lib/x86_64-linux-gnu/libc.so.6")),
    Mutation("a list of kernel modules, without modprobe", "MOD-03", both(removed("usr/sbin/modprobe"), written("usr/lib/modules/6.1.0/modules.dep", ""))),
    Mutation("apt's lists", "PKG-03", written("var/lib/apt/lists/lock_Packages", "Package: x\n")),
    Mutation("D-Bus's machine id", "PKG-03", written("var/lib/dbus/machine-id", "4c1e0b3f8d5a4f0e9b7c6d5e4f3a2b1c\n")),
    Mutation("the yaml says systemd", "INI-02", replaced(YAML, 'daemon: "yes"', 'daemon: "no"')),
    Mutation("the yaml names another agent", "YML-01", replaced(YAML, 'name: "kata-agent"', 'name: "agent"')),
    Mutation("an hour of another format", "YML-01", replaced(YAML, "+0000Z", "")),
]  # fmt: skip
