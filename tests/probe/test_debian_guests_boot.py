"""Whole guests from Debian's archive boot under Debian's own kernel, and the probe looks at them from inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.boot import QEMU, Console, boot, cloud_modules
from tests.support.real_guests import build_debian
from tests.support.requirements import needs_debian_archive, needs_program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    needs_debian_archive(),
    needs_program("cc", "cpio", "depmod", QEMU),
]

POLICY = "package agent_policy\n\ndefault AllowRequestsFailingPolicy := true\n"


def boot_debian(place: Path, *options: str) -> Console:
    """Build a guest with the probe as its agent, and boot it."""
    target = place / "rootfs"
    modules = cloud_modules()
    done = build_debian(target, "--agent", "probe", "--kernel-modules", str(modules), *options)
    assert (done.returncode, done.stderr) == (0, "")
    return boot(target, place)


def troubles(console: Console) -> list[str]:
    """What systemd said of the agent's units and of what they need; a getty may fail for want of udev."""
    ours = ("kata", "Kata", "D-Bus", "/tmp", "Basic System")
    lines = console.text.splitlines()
    return [line for line in lines if "failed" in line.lower() and any(name in line for name in ours)]


def require_what_any_guest_has(facts: dict[str, object]) -> None:
    assert facts["ready"] is True
    assert facts["kernel"] == cloud_modules().name
    assert (facts["modules"], facts["resolv.conf"]) == ("directory", "empty file")
    for ability in ("modprobe", "iptables-restore", "mkfs.ext4", "shell", "tmp-writable", "run-writable"):
        assert facts[ability] is True, ability


@pytest.mark.parametrize("release", ["trixie", "bookworm"])
def test_systemd_starts_the_agent(tmp_path: Path, release: str) -> None:
    console = boot_debian(tmp_path, "--os-version", release)
    facts = console.facts
    require_what_any_guest_has(facts)
    assert (facts["mode"], facts["init"]) == ("service", "systemd")
    assert facts["pid"] != 1
    assert facts["mounts"]["/tmp"] == "tmpfs"
    assert facts["bus"] is True
    assert troubles(console) == []


def test_the_agent_is_process_1(tmp_path: Path) -> None:
    facts = boot_debian(tmp_path, "--agent-init").facts
    require_what_any_guest_has(facts)
    assert (facts["mode"], facts["pid"], facts["init"]) == ("init", 1, "probe")
    assert {"/proc": "proc", "/sys": "sysfs", "/dev": "devtmpfs", "/run": "tmpfs"}.items() <= facts["mounts"].items()


def test_after_deleting_units_systemd_still_starts_the_agent_with_its_policy(tmp_path: Path) -> None:
    policy = tmp_path / "allow.rego"
    policy.write_text(POLICY)
    console = boot_debian(tmp_path, "--delete-units", "--agent-policy", str(policy))
    require_what_any_guest_has(console.facts)
    assert (console.facts["mode"], console.facts["bus"]) == ("service", True)
    assert console.facts["policy"] == "link"
    assert troubles(console) == []
