"""Opening paths below a directory descriptor without ever leaving it, whatever the links in them say.

openat2(2) with RESOLVE_IN_ROOT does that in the kernel (Linux 5.6); where it is missing or forbidden, each component
is opened on its own with O_NOFOLLOW, so that a component that is swapped meanwhile is noticed and never followed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from functools import cache

SYS_OPENAT2 = 437
"""The same number on every architecture (include/uapi/asm-generic/unistd.h)."""
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_IN_ROOT = 0x10
MOST_BYTES = 4000
"""Longest path handed to the kernel at once: PATH_MAX is 4096 with the final NUL."""
MAX_LINKS = 40
TRIES = 64
DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def open_in_root(root: int, path: str, flags: int, mode: int = 0) -> int:
    """A new descriptor for guest path `path`, with `root` as the root directory of every link and `..` in it.

    O_CLOEXEC is added to `flags`, and O_NOCTTY where it is allowed. Raises OSError.
    """
    # openat2(2) refuses O_PATH with anything but O_CLOEXEC, O_DIRECTORY and O_NOFOLLOW.
    flags |= os.O_CLOEXEC if flags & os.O_PATH else os.O_CLOEXEC | os.O_NOCTTY
    name = path.strip("/") or "."
    if len(os.fsencode(name)) <= MOST_BYTES and _kernel_has_openat2():
        return _openat2(root, name, flags, mode)
    return _walk(root, name, flags, mode)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def _kernel_has_openat2() -> bool:
    here = os.open("/", DIRECTORY)
    try:
        os.close(_openat2(here, ".", DIRECTORY, 0))
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EPERM):
            return False
        raise
    finally:
        os.close(here)
    return True


def _openat2(root: int, name: str, flags: int, mode: int) -> int:
    how = _OpenHow(flags, mode if flags & os.O_CREAT else 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    for _ in range(TRIES):
        descriptor: int = _libc().syscall(
            SYS_OPENAT2, root, ctypes.c_char_p(os.fsencode(name)), ctypes.byref(how), ctypes.sizeof(how)
        )
        if descriptor >= 0:
            return descriptor
        code = ctypes.get_errno()
        # openat2(2): EAGAIN when a rename elsewhere raced with the resolution of a ".."; EINTR as ever.
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code), name)


def _walk(root: int, name: str, flags: int, mode: int) -> int:
    """The same by hand. `above` holds a descriptor of every directory on the way, so that `..` cannot leave them."""
    waiting = [part for part in reversed(name.split("/")) if part not in ("", ".")]
    above = [os.dup(root)]
    links = 0
    try:
        while waiting:
            part = waiting.pop()
            if part == "..":
                if len(above) > 1:
                    os.close(above.pop())
                continue
            target = _link_at(above[-1], part)
            if target is not None and (waiting or not flags & os.O_NOFOLLOW):
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
                if target.startswith("/"):
                    _keep_only_the_first(above)
                waiting.extend(piece for piece in reversed(target.split("/")) if piece not in ("", "."))
            elif waiting:
                above.append(os.open(part, DIRECTORY | os.O_NOFOLLOW, dir_fd=above[-1]))
                _forget_the_oldest(above)
            else:
                return os.open(part, flags | os.O_NOFOLLOW, mode, dir_fd=above[-1])
        return os.open(".", flags & ~os.O_NOFOLLOW, mode, dir_fd=above[-1])
    finally:
        for descriptor in above:
            os.close(descriptor)


def _link_at(directory: int, name: str) -> str | None:
    try:
        if not stat.S_ISLNK(os.lstat(name, dir_fd=directory).st_mode):
            return None
        return os.readlink(name, dir_fd=directory)
    except FileNotFoundError:
        return None


def _keep_only_the_first(descriptors: list[int]) -> None:
    while len(descriptors) > 1:
        os.close(descriptors.pop())


MOST_OPEN = 256


def _forget_the_oldest(descriptors: list[int]) -> None:
    """Very deep paths would use up the descriptors of the process: give back those next to the root.

    A `..` that climbs past what was forgotten stops there; such a path is deeper than any link text of a real tree.
    """
    if len(descriptors) > MOST_OPEN:
        os.close(descriptors.pop(1))
