"""How an ordinary user becomes root of a user namespace, in which files can be given to any owner.

Root of the namespace is the user; the ids from 1 on are the subordinate ids that an administrator gave to the user.
Only the setuid programs newuidmap(1) and newgidmap(1) may map those, and only from outside: so they are started
before the namespace is entered, and wait for a word.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass

from rootfs_kit import host
from rootfs_kit.errors import HostLacks
from rootfs_kit.host.namespaces import enter_user_namespace
from rootfs_kit.host.subids import ENOUGH, SUBGID, SUBUID, IdRange, SubidFile, command_to_add, largest_range
from rootfs_kit.run import DEFAULT_PATH

DOING = "entering a user namespace"
MAPPERS = {"newuidmap": SUBUID, "newgidmap": SUBGID}


def require_namespace() -> None:
    """Raise HostLacks for the first thing that keeps this user from being root of a namespace, root excepted."""
    if host.is_root():
        return
    for program, file in MAPPERS.items():
        if _find(program) is None:
            raise HostLacks(DOING, f"{program} is not installed", host.install_command([host.ID_MAPPER]))
        _range(file)
    if not host.can_make_mount_namespace():
        raise HostLacks(
            DOING,
            f"this host's kernel does not let {host.user_name()} make one and mount in it",
            f"Let it: {host.as_root(f'sysctl -w {host.namespace_switch()}')}",
        )


def become_root() -> None:
    """Make this process root of a user namespace, unless it is root already. Raises HostLacks.

    There is no way back, and the process must have one thread only.
    """
    if host.is_root():
        return
    require_namespace()
    mappers = [_start_mapper(program, file) for program, file in MAPPERS.items()]
    try:
        enter_user_namespace()
    except OSError as error:
        for mapper in mappers:
            mapper.dismiss()
        hint = f"See that it may: {host.as_root(f'sysctl -w {host.namespace_switch()}')}"
        raise HostLacks(DOING, error.strerror or str(error), hint) from error
    for mapper in mappers:
        mapper.map()


def see_as_builder(rootfs: str) -> None:
    """Where `rootfs` is a directory that this user built, see its owners as the guest will: 0, not this user.

    It is one where something in it belongs to a subordinate id of this user. Without a namespace, everything stays
    as it is seen from outside.
    """
    if host.is_root() or not os.path.isdir(rootfs):
        return
    with suppress(HostLacks):
        ranges = _range(SUBUID), _range(SUBGID)
        if _holds_subordinate_ids(rootfs, *ranges):
            become_root()


def _holds_subordinate_ids(rootfs: str, uids: IdRange, gids: IdRange) -> bool:
    for directory, names, files in os.walk(rootfs):
        for name in (*names, *files):
            try:
                status = os.lstat(os.path.join(directory, name))
            except OSError:
                continue
            if status.st_uid in uids or status.st_gid in gids:
                return True
    return False


@dataclass(frozen=True)
class _Mapper:
    """A child process that becomes newuidmap or newgidmap as soon as it is told to."""

    program: str
    process: int
    word: int
    complaint: int

    def map(self) -> None:
        """Raises HostLacks with the program's own words."""
        os.write(self.word, b"\n")
        os.close(self.word)
        with os.fdopen(self.complaint, errors="replace") as said:
            complaint = said.read().strip()
        _, status = os.waitpid(self.process, 0)
        if status != 0:
            found = f"{self.program} refuses: {complaint or 'it says nothing'}"
            raise HostLacks(DOING, found, f"See what /etc/subuid and /etc/subgid say of {host.user_name()}.")

    def dismiss(self) -> None:
        os.close(self.word)
        os.close(self.complaint)
        os.waitpid(self.process, 0)


def _start_mapper(program: str, file: SubidFile) -> _Mapper:
    ids = _range(file)
    own = os.geteuid() if file is SUBUID else os.getegid()
    argv = [program, str(os.getpid()), "0", str(own), "1", "1", str(ids.start), str(ids.count)]
    path = _find(program) or program
    word, told = os.pipe()
    complaint, said = os.pipe()
    child = os.fork()
    if child == 0:
        _wait_and_become(path, argv, word, told, said)
    os.close(word)
    os.close(said)
    return _Mapper(program, child, told, complaint)


def _wait_and_become(path: str, argv: list[str], word: int, told: int, said: int) -> None:
    """In the child: no word (the parent gave up, or died) means that nothing is to be done."""
    try:
        os.close(told)
        if os.read(word, 1):
            os.dup2(said, 1)
            os.dup2(said, 2)
            os.execve(path, argv, {"PATH": DEFAULT_PATH, "LC_ALL": "C.UTF-8"})
    finally:
        os._exit(127)


def _range(file: SubidFile) -> IdRange:
    user = host.user_name()
    found = largest_range(file, user, os.geteuid())
    if found is None or not found.is_enough:
        having = f"{found.count} ids" if found else "no ids"
        raise HostLacks(
            DOING,
            f"{file.path} gives {having} to {user}, and a distribution's files need {ENOUGH}",
            f"Let an administrator give some, once: {command_to_add(file, user)}",
        )
    return found


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{DEFAULT_PATH}")
