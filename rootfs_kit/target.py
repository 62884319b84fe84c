"""Targets that can only be a mistake, refused before anything is touched.

osbuilder empties whatever directory it is given, as root and without a question (rootfs.sh:516-520).
"""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rootfs_kit.errors import UsageError
from rootfs_kit.manifest import PATH as MANIFEST

SYSTEM = frozenset(
    Path(f"/{name}")
    for name in (
        "", "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "media", "mnt", "opt", "proc", "root",
        "run", "sbin", "srv", "sys", "tmp", "usr", "usr/local", "var", "var/lib", "var/tmp",
    )
)  # fmt: skip
# cpio newc and its checksummed sister, gzip, xz, zstd; tar has its magic at the end of the first header.
ARCHIVE_MAGIC = (b"070701", b"070702", b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
TAR_MAGIC_AT = 257
TAR_MAGIC = b"ustar"
NAME_ANOTHER = "Name a directory that does not exist yet, or an empty one: --rootfs-dir DIR (ROOTFS_DIR)."


def require_safe_target(target: Path, force: bool) -> None:
    """Raise UsageError unless a build may replace `target`.

    It may where nothing is there, an empty directory, or a rootfs that rootfs-kit made; with `force`, any other
    directory but a system's, a home or a mount point.
    """
    with _telling_of_rights(target):
        _require_safe_directory(target, force)


def _require_safe_directory(target: Path, force: bool) -> None:
    _require_a_plain_path(target)
    _require_no_system_directory(target)
    if not target.exists():
        return
    if not target.is_dir():
        _refuse(target, "it is a file", NAME_ANOTHER)
    mounted = _mount_points_at_or_below(target)
    if mounted:
        _refuse(target, f"{mounted[0]} is a mount point", "Unmount it, or name another directory.")
    if not (force or _is_empty(target) or is_ours(target)):
        _refuse(target, "it holds files that rootfs-kit did not make", f"{NAME_ANOTHER} --force replaces it.")


def require_safe_file(target: Path, force: bool) -> None:
    """Raise UsageError unless an archive may be written to `target`: a new file, or in the place of another archive.

    With `force`, in the place of any other file.
    """
    with _telling_of_rights(target):
        _require_safe_file(target, force)


def _require_safe_file(target: Path, force: bool) -> None:
    _require_a_plain_path(target)
    if not target.exists():
        return
    if target.is_dir():
        _refuse(target, "it is a directory", "Name the file to write the archive to, or leave out --format.")
    if not target.is_file():
        _refuse(target, "it is no regular file", "Name a file.")
    if not (force or _is_an_archive(target)):
        _refuse(target, "it is a file, and no archive", "Name another file; --force replaces it.")


@contextmanager
def _telling_of_rights(target: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise UsageError(
            f"looking at {target}", str(error.strerror), "Choose a place that this user may read and write."
        ) from error


def _is_an_archive(target: Path) -> bool:
    """An empty file counts as well: mktemp(1) makes them."""
    with target.open("rb") as file:
        head = file.read(TAR_MAGIC_AT + len(TAR_MAGIC))
    return not head or head.startswith(ARCHIVE_MAGIC) or head[TAR_MAGIC_AT:] == TAR_MAGIC


def is_ours(target: Path) -> bool:
    """Whether rootfs-kit's manifest is in the tree."""
    try:
        # The path is not resolved inside the tree: nothing is read but whether a word is there.
        document = json.loads((target / MANIFEST.lstrip("/")).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and str(document.get("generator", "")).startswith("rootfs-kit ")


def _require_a_plain_path(target: Path) -> None:
    above = target.parent.resolve()
    if target.is_symlink() or above != target.parent:
        real = target.resolve() if target.is_symlink() else above / target.name
        _refuse(target, "the path leads through a symbolic link", f"Name the directory itself: {real}")


def _require_no_system_directory(target: Path) -> None:
    if target in SYSTEM:
        _refuse(target, "it is a directory of this host's system", NAME_ANOTHER)
    homes = {Path(user.pw_dir) for user in pwd.getpwall()}
    if target in homes:
        _refuse(target, "it is somebody's home directory", NAME_ANOTHER)
    cwd = Path.cwd()
    if target == cwd or target in cwd.parents:
        _refuse(target, "the working directory is inside it", "Change to another directory first.")


def _mount_points_at_or_below(target: Path) -> list[str]:
    """proc_pid_mountinfo(5); os.path.ismount does not see bind mounts."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    points = [line.split()[4].encode("latin-1", "surrogateescape").decode("unicode_escape") for line in lines]
    return [point for point in points if Path(point) == target or target in Path(point).parents]


def _is_empty(target: Path) -> bool:
    with os.scandir(target) as listing:
        return next(listing, None) is None


def _refuse(target: Path, found: str, hint: str) -> None:
    raise UsageError(f"choosing {target} for the rootfs", found, hint)
