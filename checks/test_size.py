"""Size: what the rootfs weighs, and what that makes of an image."""

from __future__ import annotations

from rootfs_kit.suite.check import ERROR, FULL, INFO, Finding, check, report
from rootfs_kit.suite.expectation import Expectation
from rootfs_kit.suite.survey import MIB, heaviest, total_size
from rootfs_kit.tree import Kind, RootfsTree

STEP = 128 * MIB
# What distributions' own minimal images leave out, and no program of a guest reads.
UNREAD = (
    "/usr/share/bash-completion", "/usr/share/doc", "/usr/share/fish", "/usr/share/gtk-doc", "/usr/share/help",
    "/usr/share/info", "/usr/share/licenses", "/usr/share/lintian", "/usr/share/locale", "/usr/share/man",
    "/usr/share/pixmaps", "/usr/share/vim", "/usr/share/zsh",
)  # fmt: skip


@check("SIZ-01", severity=ERROR, content=FULL, source="kata-containers#3216, kata-containers/tests#5462")
def test_rootfs_keeps_its_size_budget(rootfs: RootfsTree, expectation: Expectation) -> None:
    """Guards against a guest that grows unnoticed; the budget is in the expectations.

    An image is rounded up to 128 MiB: some bytes too many can cost a whole step of memory per guest.
    """
    budget, size = expectation.size_budget, total_size(rootfs)
    if budget is None or size <= budget:
        return
    report(
        [
            Finding(
                "/",
                found=f"{size / MIB:.1f} MiB; the heaviest: " + ", ".join(heaviest(rootfs)),
                expected=f"at most {budget / MIB:.1f} MiB",
                at_boot=f"the guest boots, with an image of {-(-size // STEP)} steps of 128 MiB",
                mend="remove what the guest does not need, or raise the budget on purpose",
            )
        ]
    )


@check("SIZ-01", severity=INFO, content=FULL, source="kata-containers#3216, kata-containers/tests#5462")
def test_nothing_unread_takes_room(rootfs: RootfsTree) -> None:
    """Notes documentation and translations of a MiB and more that no program of a guest reads."""
    sizes = {path: sum(entry.size for entry in rootfs.walk(path, Kind.FILE)) for path in UNREAD}
    report(
        Finding(
            path,
            found=f"{size / MIB:.1f} MiB",
            expected="nothing",
            at_boot="the guest boots, with an image that is larger than need be",
            mend=f"remove {path} at the end of the build",
        )
        for path, size in sizes.items()
        if size >= MIB
    )
