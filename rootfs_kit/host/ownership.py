"""Whose a finished rootfs is on this host: root's as it was made, or as if an ordinary user had built it (`--owner`).

In a user's rootfs the files of the guest's root belong to the user and all others to the user's subordinate ids
(subuid(5)), so that the user can enter it, judge it and remove it as one of his own.
"""

from __future__ import annotations

import os
import pwd
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from rootfs_kit.errors import UsageError
from rootfs_kit.host import is_root
from rootfs_kit.host.subids import SUBGID, SUBUID, IdRange, SubidFile, command_to_add, largest_range
from rootfs_kit.request import BuildRequest, Format

NOBODY = 65534
"""The guest's id that stands for one beyond the user's range."""
CAPABILITY = "security.capability"
# linux/capability.h: struct vfs_cap_data of revision 2, and vfs_ns_cap_data of revision 3, which names its root user.
REVISION_2, REVISION_3, REVISION_MASK = 0x02000000, 0x03000000, 0xFF000000


@dataclass(frozen=True)
class Owner:
    """A user of this host; `uids` and `gids` are the subordinate ids, None where only a file is given away."""

    name: str
    uid: int
    gid: int
    uids: IdRange | None = None
    gids: IdRange | None = None

    def of(self, uid: int, gid: int) -> tuple[int, int]:
        """Who on this host has what belongs to these ids in the guest."""
        return _outside(uid, self.uid, self.uids), _outside(gid, self.gid, self.gids)


def owner_asked_for(request: BuildRequest) -> Owner | None:
    """The owner that the request names; None where that is root, whose everything is already.

    Raises UsageError for one that the result cannot be given to.
    """
    if request.owner is None:
        return None
    doing = f"choosing {request.owner} as the owner of the rootfs"
    if not is_root():
        raise UsageError(doing, "only root can give files away", "Leave out --owner: what you build is yours.")
    user = _user(request.owner, doing)
    if request.to_stdout:
        raise UsageError(doing, "standard output has an owner already", "Leave out --owner, or name a file.")
    if user.pw_uid == 0:
        return None
    if request.format is not Format.DIRECTORY:
        return Owner(user.pw_name, user.pw_uid, user.pw_gid)
    uids, gids = (_range(file, user, doing) for file in (SUBUID, SUBGID))
    return Owner(user.pw_name, user.pw_uid, user.pw_gid, uids, gids)


def give_file(path: Path, owner: Owner) -> None:
    """Give one file away. Raises OSError."""
    os.chown(path, owner.uid, owner.gid, follow_symlinks=False)


def give_tree(tree: Path, owner: Owner) -> None:
    """Give a whole tree away; modes and file capabilities stay as they are in the guest. Raises OSError."""
    seen: set[tuple[int, int]] = set()
    for _, names, files, directory in os.fwalk(tree):
        for name in (*names, *files):
            status = os.lstat(name, dir_fd=directory)
            identity = (status.st_dev, status.st_ino)
            if identity not in seen:
                _give(name, directory, status, owner)
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                seen.add(identity)
    top = os.stat(tree)
    os.chown(tree, *owner.of(top.st_uid, top.st_gid))
    os.chmod(tree, stat.S_IMODE(top.st_mode))


def _give(name: str, directory: int, status: os.stat_result, owner: Owner) -> None:
    capability = _capability(name, directory) if stat.S_ISREG(status.st_mode) else None
    os.chown(name, *owner.of(status.st_uid, status.st_gid), dir_fd=directory, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        # chown(2) takes setuid, setgid and capabilities away.
        os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=directory)
    if capability is not None:
        os.setxattr(_place(name, directory), CAPABILITY, _held_by(capability, owner.uid), follow_symlinks=False)


def _capability(name: str, directory: int) -> bytes | None:
    try:
        return os.getxattr(_place(name, directory), CAPABILITY, follow_symlinks=False)
    except OSError:
        return None


def _place(name: str, directory: int) -> str:
    return f"/proc/self/fd/{directory}/{name}"


def _held_by(capability: bytes, root: int) -> bytes:
    """The same capabilities for the user namespace whose root is `root` on this host (capabilities(7))."""
    magic, *sets = struct.unpack("<5I", capability[:20])
    if magic & REVISION_MASK != REVISION_2:
        return capability
    return struct.pack("<6I", magic & ~REVISION_MASK | REVISION_3, *sets, root)


def _outside(number: int, own: int, ids: IdRange | None) -> int:
    if number == 0 or ids is None:
        return own
    return ids.start + (number if number <= ids.count else NOBODY) - 1


def _user(name: str, doing: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        raise UsageError(doing, "there is no such user on this host", "See `getent passwd`.") from None


def _range(file: SubidFile, user: pwd.struct_passwd, doing: str) -> IdRange:
    found = largest_range(file, user.pw_name, user.pw_uid)
    if found is None or not found.is_enough:
        raise UsageError(
            doing,
            f"{file.path} gives {found.count if found else 'no'} ids to {user.pw_name}, and a rootfs has many owners",
            f"Give some, once: {command_to_add(file, user.pw_name)}. An archive (--format tar) needs none.",
        )
    return found
