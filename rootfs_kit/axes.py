"""The two axes that every rule of a guest rootfs depends on: who starts the agent, and what the tree holds."""

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
