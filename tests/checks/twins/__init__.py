"""The known-bad twins, room by room: for each check a defect that turns it red, and no other."""

from __future__ import annotations

from tests.checks.twins import agent, agent_service, boot, content, expected, systemd

TWINS = [*boot.TWINS, *agent.TWINS, *agent_service.TWINS, *systemd.TWINS, *content.TWINS, *expected.TWINS]
