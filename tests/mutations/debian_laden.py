"""What goes wrong in a Debian guest with kernel modules, a policy and the guest components of confidential containers."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.support import trees
from tests.support.agents import stand_in_agent
from tests.support.defects import (
    a_directory,
    appended,
    chmodded,
    copied,
    linked,
    removed,
    replaced,
    written,
)  # fmt: skip
from tests.support.programs import dynamic_program, foreign_program, kernel_module

MODULES = f"usr/lib/modules/{trees.KERNEL}"
POLICY = "etc/kata-opa"
COMPONENTS = "usr/local/bin"

MUTATIONS = [
    Mutation("a module file is lost", "MOD-01", removed(f"{MODULES}/kernel/made_base.ko")),
    Mutation("depmod never ran", "MOD-01", removed(f"{MODULES}/modules.dep")),
    Mutation("depmod ran with another kmod", "MOD-01", removed(f"{MODULES}/modules.dep.bin")),
    Mutation("a module was added afterwards", "MOD-01", copied(lambda: kernel_module("made_late", trees.KERNEL), f"{MODULES}/kernel/made_late.ko")),
    Mutation("a module is cut off", "MOD-01", written(f"{MODULES}/kernel/made_base.ko", "\x7fELF")),
    Mutation("an index of another depmod", "MOD-01", appended(f"{MODULES}/modules.dep", "kernel/made_gone.ko:\n")),
    Mutation("modules one level too deep", "MOD-01", written(f"{MODULES}/{trees.KERNEL}/modules.dep", "")),
    Mutation("a link to the kernel's build", "MOD-01", linked(f"{MODULES}/build", "/usr/src/linux")),
    Mutation("no list of what is built in", "MOD-01", removed(f"{MODULES}/modules.builtin")),
    Mutation("a module of another kernel", "MOD-02", copied(lambda: kernel_module("made_base", "6.1.0-other"), f"{MODULES}/kernel/made_base.ko")),
    Mutation("a module of another machine", "MOD-02", copied(lambda: foreign_program(kernel_module("made_base", trees.KERNEL)), f"{MODULES}/kernel/made_base.ko")),
    Mutation("no kmod", "MOD-03", removed("usr/sbin/modprobe")),
    Mutation("kmod is not executable", "MOD-03", chmodded("usr/bin/kmod", 0o644)),
    Mutation("dracut's list names a stranger", "MOD-04", written("etc/modules-load.d/kata-modules.conf", "# drivers\nvirtio_gone\n")),
    Mutation("no policy", "POL-01", removed(POLICY)),
    Mutation("the policy's link dangles", "POL-01", linked(f"{POLICY}/default-policy.rego", "allow-some.rego")),
    Mutation("an empty policy", "POL-01", written(f"{POLICY}/allow-all.rego", "")),
    Mutation("a policy of another package", "POL-01", replaced(f"{POLICY}/allow-all.rego", "package agent_policy", "package kata")),
    Mutation("a policy with its package commented out", "POL-01", replaced(f"{POLICY}/allow-all.rego", "package", "# package")),
    Mutation("an agent without the feature", "POL-02", copied(stand_in_agent, "usr/bin/kata-agent")),
    Mutation("no attestation agent", "COC-01", removed(f"{COMPONENTS}/attestation-agent")),
    Mutation("the data hub is not executable", "COC-01", chmodded(f"{COMPONENTS}/confidential-data-hub", 0o644)),
    Mutation("the attestation agent lacks TSS", "COC-01", copied(lambda: dynamic_program("libtss2-esys.so.0"), f"{COMPONENTS}/attestation-agent")),
    Mutation("ocicrypt's configuration is lost", "COC-01", removed("etc/ocicrypt_config.json")),
    Mutation("ocicrypt's configuration is cut off", "COC-01", written("etc/ocicrypt_config.json", '{"key-providers": {')),
    Mutation("no pause program", "COC-02", removed("pause_bundle/rootfs/pause")),
    Mutation("the pause bundle lost its configuration", "COC-02", removed("pause_bundle/config.json")),
    Mutation("the pause program is a directory", "COC-02", a_directory("pause_bundle/rootfs/pause")),
    Mutation("another entry point", "COC-02", replaced("pause_bundle/config.json", "/pause", "/bin/pause")),
    Mutation("no cryptsetup", "COC-03", removed("usr/sbin/cryptsetup")),
    Mutation("cryptsetup lost its library", "COC-03", removed("usr/lib/x86_64-linux-gnu/libcryptsetup.so.12")),
    Mutation("no certificates", "COC-03", removed("etc/ssl/certs/ca-certificates.crt")),
    Mutation("fstab says nothing of /run", "COC-03", written("etc/fstab", "# none\n")),
    Mutation("nobody applies fstab", "COC-03", removed("etc/systemd/system/kata-containers.target.d")),
    Mutation("a pause program for another machine", "AGT-02", copied(lambda: foreign_program(stand_in_agent()), "pause_bundle/rootfs/pause")),
    Mutation("a hook is a link", "HOK-01", linked("usr/share/oci/hooks/prestart/setup", "/usr/bin/bash")),
]  # fmt: skip
