"""The user's own changes to the rootfs: directories laid over it, then scripts that run inside it, both in order.

They come after all of Kata's files, so that they may change any of them, and before the clean-up, so that what they
leave behind goes too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rootfs_kit.tree import RootfsEditor

# Runs a program inside the rootfs to its end: argument list, guest paths. Raises BuildFailed.
RunInside = Callable[[Sequence[str]], None]

PLACE = "/.rootfs-kit-run"


def lay_directories_over(editor: RootfsEditor, directories: Sequence[Path]) -> None:
    """Copy the content of each host directory over the rootfs. Raises UsageError."""
    for directory in directories:
        editor.copy_tree_in(directory)


def run_scripts(editor: RootfsEditor, scripts: Sequence[Path], run_inside: RunInside) -> None:
    """Run each script inside the rootfs; nothing of it stays behind. Raises BuildFailed when one does not end well."""
    for number, script in enumerate(scripts, 1):
        inside = f"{PLACE}/{number}-{script.name}"
        editor.make_directory(PLACE, 0o700)
        try:
            editor.copy_in(script, inside, 0o700)
            run_inside([inside])
        finally:
            editor.remove_tree(PLACE)
