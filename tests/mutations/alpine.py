"""What goes wrong in Alpine's minirootfs with the agent as init."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.support.agents import foreign_agent, packed_agent, stand_in_agent
from tests.support.defects import (
    a_directory,
    a_socket,
    both,
    chmodded,
    copied,
    given_to,
    linked,
    removed,
    replaced,
    written,
)  # fmt: skip
from tests.support.programs import dynamic_program, static_program

YAML = "var/lib/osbuilder/osbuilder.yaml"
DEBUG = ("debug-console",)

MUTATIONS = [
    Mutation("no /sys", "LAY-02", removed("sys")),
    Mutation("/tmp of mode 0700", "LAY-02", chmodded("tmp", 0o700)),
    Mutation("/var/run is a directory", "LAY-03", a_directory("var/run")),
    Mutation("/var/tmp leads nowhere", "LAY-03", linked("var/tmp", "../scratch")),
    Mutation("one directory merged, the others not", "LAY-04", both(removed("sbin"), linked("sbin", "usr/sbin"))),
    Mutation("/bin/sh dangles", "LAY-05", linked("bin/sh", "/bin/ash.real")),
    Mutation("busybox is setuid", "LAY-06", chmodded("bin/busybox", 0o4755)),
    Mutation("anybody may write the C library", "LAY-06", chmodded("lib/libc.musl-x86_64.so.1", 0o777)),
    Mutation("a daemon's socket", "LAY-06", a_socket("var/lib/docker.sock")),
    Mutation("unpacked by fakeroot and forgotten", "LAY-06", given_to("etc/passwd", 1001, 1001)),
    Mutation("Alpine's own init", "INI-03", linked("sbin/init", "/bin/busybox")),
    Mutation("init is not executable", "INI-01", chmodded("sbin/init", 0o600)),
    Mutation("init is /bin/true", "INI-03", copied(static_program, "sbin/init")),
    Mutation("the agent's own name is a directory", "AGT-01", a_directory("usr/bin/kata-agent")),
    Mutation("a copy, and another one", "AGT-06", written("usr/bin/kata-agent", "\x7fELF older", 0o755)),
    Mutation("the agent is for another machine", "AGT-02", copied(foreign_agent, "sbin/init")),
    Mutation("the agent needs glibc", "AGT-03", copied(lambda: stand_in_agent("libgcc_s.so.9"), "sbin/init")),
    Mutation("the agent is packed", "AGT-04", copied(packed_agent, "sbin/init")),
    Mutation("init by an absolute link", "GAT-01", both(removed("usr/bin/kata-agent"), copied(stand_in_agent, "usr/bin/kata-agent"), linked("sbin/init", "/usr/bin/kata-agent"))),
    Mutation("the C library is lost", "ELF-01", removed("lib/ld-musl-x86_64.so.1")),
    Mutation("modprobe was built for glibc", "ELF-01", copied(lambda: dynamic_program("libkmod.so.2"), "sbin/modprobe")),
    Mutation("no resolv.conf", "NET-01", removed("etc/resolv.conf")),
    Mutation("the builder's resolver", "NET-01", written("etc/resolv.conf", "nameserver 192.168.65.7\n")),
    Mutation("the builder's name", "NET-02", written("etc/hostname", "alpine-builder\n")),
    Mutation("no ip6tables", "NET-03", removed("sbin/ip6tables-save")),
    Mutation("a proxy in the profile", "NET-04", written("etc/profile.d/proxy.sh", "export http_proxy=http://proxy.example:8080\n")),
    Mutation("a pool", "TIM-02", written("etc/chrony/chrony.conf", "pool pool.ntp.org iburst\n")),
    Mutation("apk's cache", "PKG-03", written("var/cache/apk/APKINDEX.0123abcd.tar.gz", "x")),
    Mutation("the build dependencies stayed", "PKG-03", copied(static_program, "usr/bin/gcc")),
    Mutation("a merge that nobody made", "PKG-03", written("etc/profile.apk-new", "export PATH\n")),
    Mutation("the log of the build", "PKG-03", written("var/log/apk.log", "installing bash\n")),
    Mutation("no e2fsprogs", "STO-01", removed("sbin/mkfs.ext4")),
    Mutation("no bash for the console", "DBG-01", removed("bin/bash"), DEBUG),
    Mutation("the yaml is not there", "YML-01", removed(YAML)),
    Mutation("the yaml is of busybox's date", "YML-01", replaced(YAML, "000000000+0000Z", "%N+0000Z")),
    Mutation("the yaml is of the build host", "YML-01", replaced(YAML, 'name: "alpine"', 'name: "ubuntu"')),
    Mutation("the yaml says systemd", "INI-02", replaced(YAML, 'daemon: "yes"', 'daemon: "no"')),
    Mutation("the manifest is cut off", "PKG-02", written("var/lib/osbuilder/manifest.json", '{"format": 1, "pack')),
    Mutation("touched after its epoch", "REP-01", written("etc/motd", "changed\n")),
    Mutation("a link to the build directory", "REP-01", linked("etc/ssl/private.pem", "/home/build/rootfs/etc/ssl/cert.pem")),
]  # fmt: skip
