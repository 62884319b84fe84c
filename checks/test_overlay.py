"""Overlay: Kata's files alone, which have to fit over a rootfs of somebody else's without breaking it."""

from __future__ import annotations

from fnmatch import fnmatchcase

from rootfs_kit.axes import InitMode
from rootfs_kit.suite.check import ERROR, OVERLAY, WARN, Finding, Severity, check, report
from rootfs_kit.suite.profile import Profile
from rootfs_kit.suite.survey import survey
from rootfs_kit.tree import Entry, RootfsTree

LINKS_OF_A_BASE = ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/var/lock", "/var/run")
"""Links on a merged-usr base (file-hierarchy(7)), into /usr and /run."""
KATAS_FILES = (
    "/etc/chrony.conf", "/etc/chrony/*", "/etc/fstab", "/etc/kata-opa/*", "/etc/machine-id", "/etc/modules-load.d/*",
    "/etc/ocicrypt_config.json", "/etc/resolv.conf", "/etc/systemd/system/*", "/init", "/lib/modules/*",
    "/lib/systemd/system/*", "/pause_bundle/*", "/sbin", "/sbin/init", "/sbin/kata-agent", "/usr/bin/kata-agent",
    "/usr/lib/modules/*", "/usr/lib/systemd/system-generators/kata-*", "/usr/lib/systemd/system/*",
    "/usr/libexec/kata-*", "/usr/local/bin/*", "/usr/sbin/init", "/usr/sbin/kata-agent", "/usr/share/oci/hooks/*",
    "/var/lib/osbuilder/*", "/var/tmp",
)  # fmt: skip


@check(
    "OVL-01", severity=ERROR, content=OVERLAY, source="rootfs.sh:670-685 makes a real /lib and /sbin; file-hierarchy(7)"
)
def test_overlay_brings_no_directory_over_a_link(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against an overlay that replaces /lib or /sbin of a merged-usr base by a directory of its own.

    tar does that: the base then has no loader under /lib64, or no programs under /sbin. Put the files below /usr. A
    /sbin with the agent as init may be meant for a split-usr base (Alpine up to 3.21), and is a warning there.
    """
    report(
        Finding(
            path,
            found="a directory of the overlay",
            expected="nothing, or a link as the base has it",
            at_boot=f"all that the base has in /usr{path} is missing under {path}, once the overlay was unpacked over it",
            mend=f"put what is in {path} where the base's link leads",
            severity=Severity.WARN if path == "/sbin" and profile.init is InitMode.AGENT else None,
        )
        for path in LINKS_OF_A_BASE
        if (entry := rootfs.lstat(path)) is not None and entry.is_directory
    )


@check(
    "OVL-01", severity=WARN, content=OVERLAY, source="kata-containers#11126; rootfs.sh:670-914, what its overlay holds"
)
def test_overlay_brings_only_katas_files(rootfs: RootfsTree) -> None:
    """Guards against an overlay that changes more of its base than Kata needs: parts of another rootfs, leftovers.

    Leave such files to the base, or waive those that you bring on purpose.
    """
    report(
        Finding(
            entry.path,
            found=f"a {entry.kind}",
            expected="the agent, its units, its configuration, kernel modules",
            at_boot="the base's own file is replaced, and with it what the base was tested with",
            mend=f"take {entry.path} out of the overlay",
        )
        for entry in rootfs.walk()
        if not entry.is_directory and not _is_katas(entry)
    )


def _is_katas(entry: Entry) -> bool:
    return any(fnmatchcase(entry.path, pattern) for pattern in KATAS_FILES)


@check(
    "OVL-01",
    severity=ERROR,
    content=OVERLAY,
    source="kata-containers#6677; cp(1) -a and tar(1) keep modes of directories",
)
def test_overlay_closes_no_directory(rootfs: RootfsTree) -> None:
    """Guards against an overlay whose directories only their owner may enter: so are the base's, once it is unpacked.

    A directory that mktemp(1) made has mode 0700, and the root of the guest gets it. chmod 0755 it.
    """
    report(
        Finding(
            entry.path,
            found=f"mode {entry.mode:04o}",
            expected="mode 0755, as the base's own",
            at_boot="services that drop root cannot resolve any path below it: D-Bus does not come up",
            mend=f"chmod 0755 {entry.path} of the overlay",
        )
        for entry in rootfs.walk()
        if entry.is_directory and entry.mode & 0o011 != 0o011
    )


@check("OVL-01", severity=WARN, content=OVERLAY, source="chown(2); cp(1) -a and tar(1) keep owners")
def test_overlay_belongs_to_root(rootfs: RootfsTree) -> None:
    """Guards against an overlay that was made by an ordinary user, and gives the base's directories to them.

    Make it as root, or with rootfs-kit's archives, or unpack it with `--owner=0 --group=0`.
    """
    report(
        Finding(
            owner.first,
            found=f"belongs to user {number}, as do {owner.count} entries in all",
            expected="owner 0:0",
            at_boot=f"the guest boots; user {number} of the guest may change these files and directories",
            mend="chown -R 0:0 the overlay",
        )
        for number, owner in sorted(survey(rootfs).users.items())
        if number != 0
    )
