"""House rules: what ACME asks of its guests beyond what makes them boot."""

from __future__ import annotations

from rootfs_kit.suite.check import ERROR, FULL, check, require
from rootfs_kit.tree import RootfsTree


@check("ACME-01", severity=ERROR, content=FULL, source="ACME's handbook, chapter 3")
def test_guest_carries_our_notice(rootfs: RootfsTree) -> None:
    """Guards against a guest that does not say whose it is. Write /etc/acme-notice."""
    notice = rootfs.file("/etc/acme-notice")
    require(
        notice.is_file,
        "/etc/acme-notice",
        found=notice.describe(),
        expected="a file with our notice",
        at_boot="the guest boots, and nobody knows whose it is",
        mend="write /etc/acme-notice",
    )


@check("ACME-02", severity=ERROR, content=FULL, source="ACME's handbook, chapter 4")
def test_notice_is_short(rootfs: RootfsTree) -> None:
    """Guards against notices that nobody reads; a plain assertion will do where the reason is plain."""
    assert rootfs.file("/etc/acme-notice").size < 1000
