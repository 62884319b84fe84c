"""What every rule of a guest rootfs depends on: who starts the agent, what the tree holds, what the guest can do."""

from __future__ import annotations

from enum import StrEnum


class InitMode(StrEnum):
    """Who starts the agent: an init system, or the kernel itself (AGENT_INIT=yes)."""

    SYSTEMD = "systemd"
    AGENT = "agent"


class Content(StrEnum):
    """A bootable rootfs, or only Kata's files to be laid over somebody else's."""

    FULL = "full"
    OVERLAY = "overlay"


FEATURES = ("confidential", "modules", "policy", "seccomp", "selinux")
"""What a guest may be asked to be able to do; a distribution may need packages for each."""
