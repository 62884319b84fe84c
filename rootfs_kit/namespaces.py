"""A mount namespace of the build's own: what is mounted in it goes when the build goes, however it ends."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MNT_DETACH = 2


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


@contextmanager
def tmpfs(place: Path, size: int) -> Iterator[None]:
    """A tmpfs of at most `size` bytes on the directory `place` (tmpfs(5)). Raises OSError."""
    options = f"mode=0755,size={size}".encode()
    _checked(_libc().mount(b"rootfs-kit", os.fsencode(place), b"tmpfs", 0, options))
    try:
        yield
    finally:
        _libc().umount2(os.fsencode(place), MNT_DETACH)
