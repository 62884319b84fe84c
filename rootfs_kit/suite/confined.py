"""Runs one program of a rootfs where it can do no harm: `python -m rootfs_kit.suite.confined SECONDS ROOT PROGRAM …`.

The program sees a read-only view of the rootfs and nothing else: no network, no other process, no device, no
capability, whoever starts it, and it is not process 1 (which kata-agent would take for being init). What it prints
comes out, up to a limit; when its time is over, it ends (namespaces(7), capabilities(7), pid_namespaces(7)).

Every rootfs under test is untrusted input: this is a process of its own, so that nothing has to be undone.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path

TIME_IS_OVER = 124
NOT_CONFINED = 125
NOT_STARTED = 126
MOST_OUTPUT = 1 << 16
ADDRESS_SPACE = 1 << 31
"""Bytes: enough for any program that prints its version."""

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
MOST_CAPABILITIES = 64

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> int:
    """The program's exit status, 128 and the signal that ended it, or one of the numbers above."""
    seconds, root, *command = arguments
    try:
        _leave_everything()
        _make_read_only(root)
    except OSError as error:
        os.write(1, f"the kernel allows no namespaces here: {error.strerror}\n".encode())
        return NOT_CONFINED
    child = os.fork()
    if child == 0:
        os._exit(_as_process_one(root, command, time.monotonic() + float(seconds)))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _leave_everything() -> None:
    user, group = os.geteuid(), os.getegid()
    own = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
    _checked(_libc.unshare(own if user == 0 else own | CLONE_NEWUSER))
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    _checked(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))


def _make_read_only(root: str) -> None:
    place = os.fsencode(root)
    _checked(_libc.mount(place, place, None, MS_BIND, None))
    kept = os.statvfs(root).f_flag & MS_NOEXEC  # a mount that the host restricts stays so (mount_namespaces(7))
    flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | kept
    _checked(_libc.mount(b"none", place, None, flags, None))


def _as_process_one(root: str, command: list[str], deadline: float) -> int:
    """When this process ends, the kernel ends whatever the program started."""
    os.chroot(root)
    os.chdir("/")
    reading, writing = os.pipe()
    program = os.fork()
    if program == 0:
        _become(command, writing)
    os.close(writing)
    if not _pass_on(reading, deadline):
        return TIME_IS_OVER
    while time.monotonic() < deadline:
        ended, status = os.waitpid(program, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        time.sleep(0.005)
    return TIME_IS_OVER


def _become(command: list[str], output: int) -> None:
    """Give up every right, and be the program. Never returns."""
    nothing, end = os.pipe()
    os.close(end)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    for number in range(MOST_CAPABILITIES):
        _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for limit, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_AS, ADDRESS_SPACE)):
        resource.setrlimit(limit, (value, value))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execve(command[0], command, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    except OSError as error:
        os.write(1, f"{error.strerror}\n".encode())
        os._exit(NOT_STARTED)


def _pass_on(reading: int, deadline: float) -> bool:
    """Copy what the program prints, up to the limit; whether it came to an end in time."""
    left = MOST_OUTPUT
    while (seconds := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([reading], [], [], seconds)
        data = os.read(reading, 4096) if ready else b""
        if ready and not data:
            return True
        os.write(1, data[:left])
        left -= len(data)
        if left <= 0:
            return True
    return False


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
