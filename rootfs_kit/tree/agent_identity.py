"""Whether a program is kata-agent, told by what is inside it and not by its name.

Kata's own image gate takes /bin/true for an agent. A kata-agent carries the names of its ttRPC service and of its
directories as constants; any two of them are enough, so that a release that renames one is still recognised.
"""

from __future__ import annotations

from enum import StrEnum

ELF_MAGIC = b"\x7fELF"
PROBE_MARK = b"rootfs-kit-probe-agent"
UPX_MARK = b"UPX!"
UPX_HEADER = 4096
"""UPX writes its mark beside the program headers, in the first page."""
KATA_MARKS = (
    b"grpc.AgentService",
    b"ttRPC server started",
    b"/run/kata-containers",
    b"agent.hotplug_timeout",
)
"""src/libs/protocols/protos/agent.proto; src/agent/src/rpc.rs:2099, network.rs:12, config.rs:24."""
ENOUGH_MARKS = 2


class AgentIdentity(StrEnum):
    """What a program turned out to be; PACKED programs hide what is inside until they run."""

    KATA = "kata-agent"
    PROBE = "rootfs-kit's probe agent"
    PACKED = "a program packed by UPX"
    OTHER = "another program"


def identify_agent(content: bytes) -> AgentIdentity:
    """What the file with this content is."""
    if not content.startswith(ELF_MAGIC):
        return AgentIdentity.OTHER
    if PROBE_MARK in content:
        return AgentIdentity.PROBE
    if sum(mark in content for mark in KATA_MARKS) >= ENOUGH_MARKS:
        return AgentIdentity.KATA
    return AgentIdentity.PACKED if UPX_MARK in content[:UPX_HEADER] else AgentIdentity.OTHER
