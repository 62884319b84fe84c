"""What goes wrong in an initrd: Alpine's minirootfs with the agent as init, packed by cpio."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.support.agents import foreign_agent
from tests.support.defects import (
    a_device,
    a_directory,
    a_fifo,
    both,
    chmodded,
    copied,
    linked,
    removed,
    written,
)  # fmt: skip
from tests.support.programs import static_program

MUTATIONS = [
    Mutation("no /init", "INI-04", removed("init")),
    Mutation("/init is absolute and dangles", "INI-04", linked("init", "/lib/systemd/systemd")),
    Mutation("/init is a shell", "INI-04", linked("init", "bin/busybox")),
    Mutation("/init is not executable", "INI-04", both(removed("init"), written("init", "#!/bin/sh\n"))),
    Mutation("/init by two links", "INI-04", both(linked("init", "linuxrc"), linked("linuxrc", "sbin/init"))),
    Mutation("cpio without nodes", "LAY-07", removed("dev/console")),
    Mutation("/dev/null of another device", "LAY-07", a_device("dev/null", 1, 5)),
    Mutation("/dev/console is a file", "LAY-07", both(removed("dev/console"), written("dev/console", ""))),
    Mutation("a FIFO in /dev", "LAY-07", a_fifo("dev/log")),
    Mutation("no /proc", "LAY-02", removed("proc")),
    Mutation("/tmp of mode 0755", "LAY-02", chmodded("tmp", 0o755)),
    Mutation("/var/run is a directory", "LAY-03", a_directory("var/run")),
    Mutation("no init", "INI-01", both(removed("sbin/init"), copied(static_program, "init"))),
    Mutation("busybox for init", "INI-03", linked("sbin/init", "../bin/busybox")),
    Mutation("the agent is for another machine", "AGT-02", copied(foreign_agent, "sbin/init")),
    Mutation("the C library is lost", "ELF-01", removed("lib/ld-musl-x86_64.so.1")),
    Mutation("resolv.conf is a link", "NET-01", linked("etc/resolv.conf", "/run/resolv.conf")),
    Mutation("a setuid shell", "LAY-06", both(copied(static_program, "bin/rootsh"), chmodded("bin/rootsh", 0o4755))),
    Mutation("apk's cache", "PKG-03", written("var/cache/apk/APKINDEX.tar.gz", "x")),
]  # fmt: skip
