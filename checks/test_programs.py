"""Programs: what a guest starts besides the agent must be built for it, and find its libraries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rootfs_kit.suite.anatomy import INIT, InitProgram, find_agent, init_program
from rootfs_kit.suite.check import ERROR, FULL, SYSTEMD, WARN, Finding, check, report
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.elf import ElfFile
from rootfs_kit.tree.executable import start_problems
from rootfs_kit.tree.machines import rootfs_machine

DIRECTORIES = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt", "/pause_bundle")
HEADER = 64
"""Bytes of the longest ELF header (elf(5))."""
MAGIC = b"\x7fELF"
# What the agent and its units start, by the paths that are built into them; mkfs.ext4 and the rest have checks of
# their own.
STARTED = ("/bin/sh", "/sbin/modprobe", "/sbin/iptables-restore", "/usr/sbin/chronyd")
STARTED_BY_SYSTEMD = ("/usr/bin/dbus-daemon", "/usr/bin/dbus-broker-launch")
MEND = "install the package that holds the library, or the program again with what it depends on"
ALL_FOUND = "a program whose loader and libraries are all in the rootfs"


@check(
    "AGT-02", severity=ERROR, content=FULL, source="kata-containers PR#13419 (foreign architectures); elf(5), e_machine"
)
def test_every_program_is_built_for_this_guest(rootfs: RootfsTree) -> None:
    """Guards against programs of another architecture among those of the guest.

    A tarball for another machine brings them. Read from the headers of all programs; scripts are left out.
    """
    guest = rootfs_machine(rootfs)
    if guest is None:
        pytest.skip("none of the programs that would tell the architecture is there")
    agent = find_agent(rootfs)
    elsewhere = {INIT, agent.target.final if agent is not None else None, rootfs.resolve(INIT).final}
    report(
        Finding(
            path,
            found=f"a program for {machine}, in a rootfs for {guest}",
            expected=f"programs for {guest}",
            at_boot="the guest boots; the kernel cannot execute this program: exec format error",
            mend=f"install the one that was built for {guest}, or remove it",
        )
        for path, machine in _programs(rootfs)
        if machine != guest and path not in elsewhere and not _runs_also(guest, machine)
    )


def _programs(rootfs: RootfsTree) -> Iterator[tuple[str, str]]:
    """Every ELF program in a directory of programs, and its machine."""
    for directory in dict.fromkeys(rootfs.resolve(directory).final for directory in DIRECTORIES):
        for entry in rootfs.walk(directory) if directory else ():
            if not entry.is_file or not entry.mode & 0o111 or entry.size < HEADER:
                continue
            header = rootfs.read_bytes(entry.path, limit=HEADER)
            if header.startswith(MAGIC):
                yield entry.path, ElfFile(header, entry.path).machine


def _runs_also(guest: str, machine: str) -> bool:
    """Kernels run programs of their small sibling (multiarch trees have some)."""
    return (guest, machine) in {("x86_64", "i686"), ("aarch64", "armv7l"), ("s390x", "s390"), ("ppc64", "ppc")}


@check("ELF-01", severity=ERROR, content=FULL, init=SYSTEMD, source="ld.so(8); kernel fs/binfmt_elf.c")
def test_init_finds_its_loader_and_libraries(rootfs: RootfsTree) -> None:
    """Guards against an init that dies before its first line: a library was trimmed away, or never installed."""
    if init_program(rootfs) in (InitProgram.NONE, InitProgram.AGENT, InitProgram.PROBE):
        pytest.skip("there is no init, or it is the agent: INI-01, INI-02 and AGT-03 report that")
    report(
        Finding(INIT, found=problem, expected=ALL_FOUND, at_boot="the kernel panics: Attempted to kill init", mend=MEND)
        for problem in _problems(rootfs, INIT)
    )


@check("ELF-01", severity=WARN, content=FULL, source="ld.so(8); kata-containers#2384 (libraries left out of an initrd)")
@pytest.mark.parametrize("program", STARTED)
def test_program_finds_its_loader_and_libraries(rootfs: RootfsTree, program: str) -> None:
    """Guards against a program that is there and cannot start, as a library or a symbol version is missing."""
    _judge(rootfs, program)


@check("ELF-01", severity=WARN, content=FULL, init=SYSTEMD, source="ld.so(8); kata-containers#2384")
@pytest.mark.parametrize("program", STARTED_BY_SYSTEMD)
def test_program_of_systemd_finds_its_loader_and_libraries(rootfs: RootfsTree, program: str) -> None:
    """Guards against a program of the agent's units that is there and cannot start."""
    _judge(rootfs, program)


def _judge(rootfs: RootfsTree, program: str) -> None:
    report(
        Finding(
            program,
            found=problem,
            expected=ALL_FOUND,
            at_boot="the guest boots; whatever starts this program fails: error while loading shared libraries",
            mend=MEND,
        )
        for problem in _problems(rootfs, program)
    )


def _problems(rootfs: RootfsTree, path: str) -> list[str]:
    """Nothing for what is not there, or not executable: other checks ask for the programs themselves."""
    return start_problems(rootfs, path) if rootfs.file(path).is_executable else []
