"""Boots a rootfs in QEMU, as an initrd under Debian's cloud kernel, and listens to what the probe says inside.

Software emulation only: /dev/kvm may be there and hang, so it is never asked.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from rootfs_kit.tree.agent_identity import PROBE_MARK

BOOT_SECONDS = 600
MEMORY_MIB = 2048
# An emulated timer may come late on a busy machine, and the kernel would give it up (kernel-parameters.rst).
PATIENT = "no_timer_check " if os.uname().machine == "x86_64" else ""
BASE_PARAMETERS = f"console=ttyS0 panic=-1 {PATIENT}rdinit=/sbin/init rootfs_kit.poweroff"
QEMU = f"qemu-system-{os.uname().machine}"


def cache_directory() -> Path:
    """Where downloads of the tests are kept between runs."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = base / "rootfs-kit-tests"
    place.mkdir(parents=True, exist_ok=True)
    return place


@cache
def cloud_kernel() -> Path:
    """The unpacked package of Debian's cloud kernel: boot/vmlinuz-* and lib/modules/*. Skips where there is none."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("needs apt-get and dpkg-deb to fetch Debian's cloud kernel")
    unpacked = cache_directory() / "cloud-kernel"
    with FileLock(cache_directory() / "cloud-kernel.lock"):
        if not list(unpacked.glob("boot/vmlinuz-*")):
            _fetch_kernel(unpacked)
    return unpacked


def _fetch_kernel(unpacked: Path) -> None:
    package = _kernel_package()
    with_package = cache_directory() / "download"
    with_package.mkdir(exist_ok=True)
    done = subprocess.run(["apt-get", "download", package], cwd=with_package, capture_output=True, check=False)
    found = sorted(with_package.glob("linux-image-*.deb"))
    if done.returncode != 0 or not found:
        pytest.skip("needs Debian's archive for the cloud kernel")
    subprocess.run(["dpkg-deb", "-x", str(found[-1]), str(unpacked)], check=True)


def _kernel_package() -> str:
    machine = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    listed = subprocess.run(
        ["apt-cache", "depends", f"linux-image-cloud-{machine}"], capture_output=True, text=True, check=False
    ).stdout
    names = [line.split()[-1] for line in listed.splitlines() if "Depends: linux-image-" in line]
    if not names:
        pytest.skip("needs apt's lists to name Debian's cloud kernel (apt-get update)")
    return names[0]


def cloud_modules() -> Path:
    """The cloud kernel's directory of modules, named for its version."""
    unpacked = cloud_kernel()
    return next(path for lib in ("usr/lib", "lib") for path in unpacked.glob(f"{lib}/modules/*"))


def boot(rootfs: Path, workplace: Path, parameters: str = "", memory_mib: int = MEMORY_MIB) -> Console:
    """What the console said until the guest powered off, or until the time was up."""
    initrd = workplace / "initrd.cpio"
    _pack(rootfs, initrd)
    return boot_initrd(initrd, workplace, parameters, memory_mib)


def boot_initrd(initrd: Path, workplace: Path, parameters: str = "", memory_mib: int = MEMORY_MIB) -> Console:
    """The same for a file that is an initrd already."""
    kernel = next(cloud_kernel().glob("boot/vmlinuz-*"))
    console = workplace / "console.log"
    command = [
        QEMU, "-accel", "tcg", "-m", str(memory_mib), "-nographic", "-no-reboot", "-nic", "none",
        "-kernel", str(kernel), "-initrd", str(initrd), "-append", f"{BASE_PARAMETERS} {parameters}".strip(),
    ]  # fmt: skip
    with console.open("wb") as output, suppress(subprocess.TimeoutExpired):
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=BOOT_SECONDS,
            check=False,
        )  # fmt: skip
    return Console(console.read_text(errors="replace"))


def _pack(rootfs: Path, initrd: Path) -> None:
    names = subprocess.run(["find", ".", "-print0"], cwd=rootfs, stdout=subprocess.PIPE, check=True).stdout
    with initrd.open("wb") as output:
        subprocess.run(
            ["cpio", "--null", "--create", "--format=newc", "--quiet"], cwd=rootfs, input=names, stdout=output,
            check=True,
        )  # fmt: skip


class Console:
    """The text of a guest's console, and the facts that the probe put into it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.facts: dict[str, Any] = {}
        for line in text.splitlines():
            start = line.find("{")
            if PROBE_MARK.decode() in line and start >= 0:
                # The kernel may write the next message before the line's end.
                said, _ = json.JSONDecoder().raw_decode(line[start:])
                self.facts[said["fact"]] = said["value"]
