"""Stand-ins for kata-agent: small real programs that carry the constants by which the suite recognises the agent.

They do nothing. Tests that need a guest to answer boot the probe instead.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.programs import compile_c, foreign_program, static_program

STAND_IN = """
const char *const constants[] = {
    "rootfs-kit's stand-in for kata-agent in tests",
    "grpc.AgentService", "ttRPC server started", "/run/kata-containers", "agent.hotplug_timeout",
};
void _start(void) { for (;;) { (void) *(const char *const volatile *) constants; } }
"""
FLAGS = ("-nostdlib", "-Os", "-fno-stack-protector")


def stand_in_agent(*libraries: str) -> Path:
    """A static stand-in; with `libraries` (libfoo.so.1), a dynamic one that needs them."""
    if not libraries:
        return compile_c(STAND_IN, "stand-in-agent", "-static", "-s", *FLAGS)
    built = [compile_c("int nothing;\n", name, "-shared", "-nostdlib", f"-Wl,-soname,{name}") for name in libraries]
    needed = ("-Wl,--no-as-needed", *(str(path) for path in built))
    return compile_c(STAND_IN, "-".join(("stand-in-agent", *libraries)), "-s", *FLAGS, *needed)


def stand_in_agent_with_debug_info() -> Path:
    return compile_c(STAND_IN, "stand-in-agent-debug", "-static", "-g", *FLAGS)


def stand_in_policy_agent() -> Path:
    """A stand-in for an agent that was built with the policy feature: it names the policy's file and package."""
    feature = '"agent.hotplug_timeout", "/etc/kata-opa/default-policy.rego", "agent_policy",'
    return compile_c(
        STAND_IN.replace('"agent.hotplug_timeout",', feature), "stand-in-policy-agent", "-static", "-s", *FLAGS
    )


def packed_agent() -> Path:
    """A program with the mark that UPX leaves behind the program headers; what is inside cannot be told."""
    content = bytearray(static_program().read_bytes())
    headers = int.from_bytes(content[32:40], "little") + 56 * int.from_bytes(content[56:58], "little")
    content[headers + 4 : headers + 8] = b"UPX!"
    output = static_program().with_name("packed-agent")
    output.write_bytes(content)
    return output


def foreign_agent() -> Path:
    """A stand-in whose ELF header names a machine that is not this host's."""
    return foreign_program(stand_in_agent())
