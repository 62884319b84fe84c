"""Removing a rootfs, whoever its files belong to."""

from __future__ import annotations

from pathlib import Path

from rootfs_kit.errors import BuildFailed, HostLacks, UsageError
from rootfs_kit.host.user_namespace import become_root
from rootfs_kit.staging import remove_tree
from rootfs_kit.target import require_safe_target


def remove_rootfs(target: Path, force: bool) -> None:
    """Remove the directory `target` with all below it, if rootfs-kit made it; with `force`, another one as well.

    What a build would not replace is not removed either. Raises UsageError, BuildFailed.
    """
    if not target.exists() and not target.is_symlink():
        raise UsageError(f"removing {target}", "there is no such directory", "Name the directory of a rootfs.")
    try:
        require_safe_target(target, force)
    except UsageError as error:
        hint = "Name the directory of a rootfs." if force else "Name the directory of a rootfs, or give --force."
        raise UsageError(f"removing {target}", error.found, hint) from None
    try:
        become_root()
    except HostLacks as lacking:
        # Without subordinate ids, the files can only be this user's own.
        _remove(target, lacking.hint)
    else:
        _remove(target, "Remove it as the user who built it, or as root.")


def _remove(target: Path, hint: str) -> None:
    try:
        remove_tree(target)
    except OSError as error:
        raise BuildFailed(f"removing {error.filename or target}", error.strerror or str(error), hint) from error
