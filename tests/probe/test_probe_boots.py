"""The probe as process 1 of a guest that boots: a tree with nothing else in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rootfs_kit.probe import probe_agent
from tests.support.boot import QEMU, boot, cloud_kernel
from tests.support.requirements import needs_program

pytestmark = [pytest.mark.slow, pytest.mark.network, needs_program("cc", "cpio", QEMU)]


def test_it_mounts_what_the_agent_mounts_and_powers_off(tmp_path: Path) -> None:
    cloud_kernel()
    tree = tmp_path / "tree"
    for name in ("sbin", "proc", "sys", "dev", "run", "tmp"):
        (tree / name).mkdir(parents=True)
    shutil.copy(probe_agent(os.uname().machine), tree / "sbin/init")
    facts = boot(tree, tmp_path, memory_mib=512).facts
    assert facts["ready"] is True
    assert (facts["pid"], facts["mode"], facts["init"]) == (1, "init", "probe")
    expected = {"/proc": "proc", "/sys": "sysfs", "/dev": "devtmpfs", "/dev/pts": "devpts", "/run": "tmpfs"}
    assert expected.items() <= facts["mounts"].items()
    assert facts["resolv.conf"] == "missing"
    assert facts["run-writable"] is True
