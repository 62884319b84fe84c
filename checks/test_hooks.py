"""Hooks: programs in the guest that the agent starts around each container (guest_hook_path)."""

from __future__ import annotations

from collections.abc import Iterator

from rootfs_kit.suite.check import WARN, Finding, check, report
from rootfs_kit.tree import Entry, RootfsTree

PLACE = "/usr/share/oci/hooks"
"""Where Kata's documentation has users put them: configuration.toml, guest_hook_path."""
KINDS = ("poststart", "poststop", "prestart")
IGNORED = "the guest boots; the agent passes this over without a word, and the hook never runs"


@check("HOK-01", severity=WARN, source="src/agent/src/sandbox.rs:389-430")
def test_guest_hooks_can_be_run(rootfs: RootfsTree) -> None:
    """Guards against hooks that the agent ignores: links, and files that may not be executed.

    Make each a regular file of mode 0755.
    """
    report(
        Finding(
            entry.path,
            found=rootfs.file(entry.path).describe(),
            expected="an executable regular file",
            at_boot=IGNORED,
            mend=f"make {entry.path} a regular file, mode 0755",
        )
        for entry in _hooks(rootfs)
        if not entry.is_file or not entry.mode & 0o111
    )


@check("HOK-01", severity=WARN, source="src/agent/src/sandbox.rs:389-430")
def test_guest_hooks_are_of_a_known_kind(rootfs: RootfsTree) -> None:
    """Guards against a directory of hooks that nobody looks into: the agent knows prestart, poststart and poststop."""
    strange = [name for name in rootfs.listdir(PLACE) if name not in KINDS]
    report(
        Finding(
            f"{PLACE}/{name}",
            found=rootfs.file(f"{PLACE}/{name}").describe(),
            expected="only the directories " + ", ".join(KINDS),
            at_boot=IGNORED,
            mend="rename it to one of " + ", ".join(KINDS),
        )
        for name in strange
    )


def _hooks(rootfs: RootfsTree) -> Iterator[Entry]:
    for kind in KINDS:
        for name in rootfs.listdir(f"{PLACE}/{kind}"):
            entry = rootfs.lstat(f"{PLACE}/{kind}/{name}")
            if entry is not None:
                yield entry
