"""What was handed in besides the agent, judged before anything is built: half an hour later is too late to hear it."""

from __future__ import annotations

from pathlib import Path

from rootfs_kit.errors import UsageError
from rootfs_kit.guest.modules import resolve_modules
from rootfs_kit.guest.policy import require_policy
from rootfs_kit.guest.tarballs import reading
from rootfs_kit.request import BuildRequest
from rootfs_kit.tree.elf import MAGIC

SHEBANG = b"#!"


def require_usable_inputs(request: BuildRequest) -> None:
    """Raise UsageError for the first file or directory of `request` that cannot be what it is meant for."""
    resolve_modules(request)
    if request.agent_policy is not None:
        require_policy(request.agent_policy)
    for archive in (request.guest_hooks_tarball, request.pause_tarball, request.coco_tarball):
        if archive is not None:
            _require_archive(archive)
    for script in request.run_scripts:
        _require_script(script)
    for directory in request.overlay_dirs:
        if not directory.is_dir():
            found = "it is no directory" if directory.exists() else "it does not exist"
            raise UsageError(f"reading the overlay directory {directory}", found, "Name an existing directory.")


def _require_archive(archive: Path) -> None:
    """That it is one; whether all of it is sound is seen when it is unpacked."""
    with reading(archive) as tar:
        tar.next()


def _require_script(script: Path) -> None:
    if _first_bytes(script, "the script")[:2] != SHEBANG and _first_bytes(script, "the script") != MAGIC:
        raise UsageError(
            f"reading the script {script}",
            "its first line does not name the program that runs it",
            "Begin it with #!/bin/sh, or with another program that is in the rootfs.",
        )


def _first_bytes(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC))
    except OSError as error:
        raise UsageError(f"reading {what} {path}", error.strerror or str(error), "Name a file to read.") from error
