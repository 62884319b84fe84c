"""What a unit of the agent may say: settings that look like those which keep it from starting, and do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import trees
from tests.support.requirements import needs_program
from tests.support.verdicts import caught, judged

pytestmark = needs_program("cc", "depmod")

SERVICE = (
    "Type=oneshot\nExecStart=/bin/sync",
    "ExecStart=\nExecStart=/usr/bin/kata-agent",
    "ExecStartPre=-/nope",
    "ExecStartPre=/run/made-at-boot",
    "ExecStartPre=/nope\nExecStartPre=",
    "User=0\nGroup=root",
    "User=made-up\nDynamicUser=yes",
    "User=nouser\nUser=root",
    "WorkingDirectory=-/nope",
    "WorkingDirectory=~",
    "WorkingDirectory=/var/lib/kata-agent\nStateDirectory=kata-agent",
    "WorkingDirectory=/var/run/kata",
    "EnvironmentFile=-/nope",
    "EnvironmentFile=/etc/kata/*.env",
    "EnvironmentFile=/run/kata.env",
    "RootDirectory=/",
)
UNIT = (
    "ConditionPathExists=/etc/passwd",
    "ConditionPathExists=!/nope",
    "ConditionPathExists=/nope\nConditionKernelVersion=",
    "ConditionPathExists=/dev/vsock\nAssertPathIsDirectory=/proc/sys\nAssertPathExists=!/run/stop",
    "ConditionPathExists=/var/run/started",
    "ConditionPathExists=|/nope\nConditionPathExists=|/etc/passwd",
    "ConditionPathExists=|/nope\nConditionVirtualization=|vm",
    "ConditionVirtualization=vm",
    "ConditionPathIsSymbolicLink=/bin\nConditionDirectoryNotEmpty=/etc\nConditionFileIsExecutable=/bin/sh",
    "ConditionFileNotEmpty=/etc/passwd\nConditionPathExists=/usr/lib/%i",
    "Conflicts=shutdown.target rescue.target",
)


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.systemd_guest(tmp_path_factory.mktemp("harmless") / "guest")


@pytest.mark.parametrize(
    "drop_in", [*(f"[Service]\n{text}\n" for text in SERVICE), *(f"[Unit]\n{text}\n" for text in UNIT)]
)
def test_setting_that_lets_the_agent_start_is_no_finding(guest: Path, drop_in: str) -> None:
    trees.write(guest, "etc/systemd/system/kata-agent.service.d/10.conf", drop_in)
    assert caught(judged(guest)) == {}
