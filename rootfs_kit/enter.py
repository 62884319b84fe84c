"""Running a command inside a rootfs, whoever it belongs to: as root of this host, or of a user namespace.

The command gets /proc, /sys and a small /dev, mounted where nobody else sees them, and processes of its own: what it
leaves running ends with it. It shares the terminal, so it is started here and not through `run.py`, whose programs are
shut off from it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rootfs_kit.errors import BuildFailed, UsageError
from rootfs_kit.host.namespaces import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    die_with_parent,
    enter_private_mounts,
    let_children_have_processes_of_their_own,
    mount,
)
from rootfs_kit.host.user_namespace import become_root
from rootfs_kit.run import DEFAULT_PATH
from rootfs_kit.tree import RootfsTree, open_rootfs

SHELLS = ("/bin/bash", "/bin/sh")
PLACES = ("proc", "sys", "dev")
DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
LINKS = {
    "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}  # fmt: skip
# A terminal sends these to the command as well as to us; the others come to us alone, and are passed on.
OF_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
PASSED_ON = (signal.SIGTERM, signal.SIGHUP)
CANNOT_EXECUTE, NOT_FOUND, FAILED = 126, 127, 3


def enter(rootfs: Path, command: Sequence[str]) -> int:
    """Run `command`, or a shell, in `rootfs`, and return its exit status as a shell gives it (128 + a signal's number).

    Raises UsageError, HostLacks, and BuildFailed where nothing can be mounted.
    """
    argv = list(command) or [_shell(open_rootfs(rootfs), rootfs)]
    for name in PLACES:
        place = rootfs / name
        if place.is_symlink() or not place.is_dir():
            raise UsageError(f"entering {rootfs}", f"it has no directory /{name}", "Name the directory of a rootfs.")
    become_root()
    try:
        enter_private_mounts()
        _mount_devices(rootfs / "dev")
        _mount_sys(rootfs / "sys")
        let_children_have_processes_of_their_own()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        hint = "Run it as root, or where namespaces are allowed: `rootfs-kit doctor` tells."
        raise BuildFailed(f"entering {rootfs}", f"{where}{error.strerror}", hint) from error
    first = os.fork()
    if first == 0:
        _be_the_first_process(rootfs, argv)
    return _status_of(first)


def _shell(tree: RootfsTree, rootfs: Path) -> str:
    for shell in SHELLS:
        if tree.file(shell).is_executable:
            return shell
    raise UsageError(f"entering {rootfs}", f"it has no {' and no '.join(SHELLS)}", "Name a command as well.")


def _mount_devices(dev: Path) -> None:
    """The host's own nodes: an ordinary user may not make any, but may show them in another place."""
    mount("rootfs-kit", dev, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=65536k")
    for name in DEVICES:
        (dev / name).touch()
        mount(f"/dev/{name}", dev / name, None, MS_BIND)
    for name, target in LINKS.items():
        (dev / name).symlink_to(target)
    for name in ("pts", "shm"):
        (dev / name).mkdir()
    mount("devpts", dev / "pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
    mount("rootfs-kit", dev / "shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")


def _mount_sys(place: Path) -> None:
    """A sysfs of one's own takes rights over the network namespace; a user gets the host's, and cannot change it."""
    try:
        mount("sysfs", place, "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except PermissionError:
        mount("/sys", place, None, MS_BIND | MS_REC)


def _be_the_first_process(rootfs: Path, argv: list[str]) -> NoReturn:
    """Start the command and bury what ends: process 1 ignores most signals, so the command must be another one."""
    status = FAILED
    try:
        die_with_parent()
        mount("proc", rootfs / "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        command = os.fork()
        if command == 0:
            _become(rootfs, argv)
        status = _status_of(command)
    except OSError as error:
        _complain(f"entering {rootfs}: {error.strerror}")
    finally:
        os._exit(status)


def _become(rootfs: Path, argv: list[str]) -> NoReturn:
    status = CANNOT_EXECUTE
    try:
        for number in (*OF_THE_TERMINAL, *PASSED_ON):
            signal.signal(number, signal.SIG_DFL)
        os.chroot(rootfs)
        os.chdir("/")
        os.execvpe(argv[0], argv, _environment())
    except FileNotFoundError:
        status = NOT_FOUND
        _complain(f"{argv[0]}: not found in {rootfs}")
    except OSError as error:
        _complain(f"{argv[0]}: {error.strerror}")
    finally:
        os._exit(status)


def _environment() -> dict[str, str]:
    environment = {"PATH": DEFAULT_PATH, "HOME": "/root", "USER": "root", "LANG": "C.UTF-8"}
    with suppress(KeyError):
        environment["TERM"] = os.environ["TERM"]
    return environment


def _status_of(child: int) -> int:
    """Wait for `child`, and for whatever else ends meanwhile; pass signals on to it."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    before = {number: signal.signal(number, signal.SIG_IGN) for number in OF_THE_TERMINAL}
    before |= {number: signal.signal(number, pass_on) for number in PASSED_ON}
    try:
        while True:
            ended, status = os.wait()
            if ended == child:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _complain(text: str) -> None:
    sys.stderr.write(f"rootfs-kit: {text}\n")
    sys.stderr.flush()
