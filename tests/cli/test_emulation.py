"""Whether another architecture's programs run here is asked of the kernel, and what is missing is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rootfs_kit.errors import HostLacks
from rootfs_kit.host.emulation import obstacle, require_runnable

# As Linux shows a registration: Documentation/admin-guide/binfmt-misc.rst.
ENTRY = "{state}\ninterpreter /usr/libexec/qemu-binfmt/x\nflags: {flags}\noffset 0\nmagic 7f454c46\n"
FOREIGN = "s390x" if os.uname().machine != "s390x" else "aarch64"


@pytest.fixture
def binfmt(tmp_path: Path) -> Path:
    """The kernel's directory, with an emulator for each of three machines."""
    (tmp_path / "register").touch()
    (tmp_path / "qemu-aarch64").write_text(ENTRY.format(state="enabled", flags="PF"))
    (tmp_path / "qemu-arm").write_text(ENTRY.format(state="enabled", flags="F"))
    (tmp_path / "qemu-ppc64le").write_text(ENTRY.format(state="disabled", flags="F"))
    (tmp_path / "qemu-riscv64").write_text(ENTRY.format(state="enabled", flags="P"))
    return tmp_path


@pytest.mark.parametrize("machine", ["x86_64", "i686", "aarch64", "armv7l"])
def test_what_runs_has_no_obstacle(binfmt: Path, machine: str) -> None:
    assert obstacle(machine, "x86_64", binfmt) is None


@pytest.mark.parametrize(
    ("machine", "found", "mend"),
    [
        ("s390x", "no emulator of s390x is registered", "qemu"),
        ("ppc64le", "qemu-ppc64le is disabled", "echo 1 >"),
        ("riscv64", "without the flag F", "qemu"),
    ],
)
def test_what_does_not_is_told_with_what_mends_it(binfmt: Path, machine: str, found: str, mend: str) -> None:
    told = obstacle(machine, "x86_64", binfmt)
    assert told is not None
    assert found in told.found
    assert mend in told.mend


def test_a_kernel_without_binfmt_misc_is_told_to_mount_it(tmp_path: Path) -> None:
    told = obstacle("aarch64", "x86_64", tmp_path / "nothing")
    assert told is not None
    assert "mount -t binfmt_misc" in told.mend


def test_a_build_does_not_begin_without_an_emulator(binfmt: Path) -> None:
    require_runnable(os.uname().machine, binfmt)
    (binfmt / f"qemu-{FOREIGN}").unlink(missing_ok=True)
    with pytest.raises(HostLacks, match=f"preparing a build for {FOREIGN}"):
        require_runnable(FOREIGN, binfmt)
