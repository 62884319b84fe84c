"""Namespaces of our own: what is mounted in them goes when the process goes, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# linux/sched.h
CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
# linux/mount.h
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def enter_private_mounts() -> None:
    """Give this process mounts of its own, which nobody else sees (unshare(2), mount_namespaces(7)).

    There is no way back: from here on, the process does not see what others mount either. Raises OSError.
    """
    _checked(_libc().unshare(CLONE_NEWNS))
    _checked(_libc().mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))


def enter_user_namespace() -> None:
    """Give this process a user namespace of its own, in which no id is mapped yet. Raises OSError.

    There is no way back. The kernel refuses it to a process with more than one thread (EINVAL, unshare(2)).
    """
    _checked(_libc().unshare(CLONE_NEWUSER))


def let_children_have_processes_of_their_own() -> None:
    """The next child becomes process 1 of a namespace, and what it leaves running ends with it (pid_namespaces(7)).

    Raises OSError.
    """
    _checked(_libc().unshare(CLONE_NEWPID))


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends (prctl(2) PR_SET_PDEATHSIG)."""
    _checked(_libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def mount(source: str, place: Path, kind: str | None, flags: int = 0, options: str = "") -> None:
    """mount(2). Raises OSError that names the place."""
    result = _libc().mount(
        os.fsencode(source), os.fsencode(place), kind.encode() if kind else None, flags, options.encode()
    )
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), os.fspath(place))


@contextmanager
def tmpfs(place: Path, size: int) -> Iterator[None]:
    """A tmpfs of at most `size` bytes on the directory `place` (tmpfs(5)). Raises OSError."""
    mount("rootfs-kit", place, "tmpfs", options=f"mode=0755,size={size}")
    try:
        yield
    finally:
        _libc().umount2(os.fsencode(place), MNT_DETACH)
