"""What a confidential guest needs besides its components: room in /run for the images that it pulls inside.

systemd gives /run a fifth of the memory or less, too little even for small images (kata-containers#6775).
systemd-remount-fs.service applies what /etc/fstab says of it, and Kata's target has to wait for that.
"""

from __future__ import annotations

from rootfs_kit.errors import BuildFailed
from rootfs_kit.guest.places import ADMIN_UNITS, holds_a_system, is_file, rewrite, unit_file, write_anew
from rootfs_kit.tree import RootfsEditor

FSTAB = "/etc/fstab"
RUN = "tmpfs /run tmpfs nodev,nosuid,size=50% 0 0\n"
REMOUNT = "systemd-remount-fs.service"
DROP_IN = f"{ADMIN_UNITS}/kata-containers.target.d/10-run-size.conf"


def widen_run(editor: RootfsEditor) -> None:
    """Let /run take half of the memory, before the agent starts. Raises BuildFailed where systemd cannot do it."""
    if unit_file(editor, REMOUNT) is None and holds_a_system(editor):
        raise BuildFailed(
            "preparing /run for a confidential guest",
            f"the rootfs has no {REMOUNT}, which would apply its size",
            "Install systemd as a whole, or leave out --confidential (CONFIDENTIAL_GUEST).",
        )
    if is_file(editor, FSTAB):
        kept = (line for line in editor.read_text(FSTAB).splitlines() if line.split()[1:2] != ["/run"])
        rewrite(editor, FSTAB, "".join(f"{line}\n" for line in kept) + RUN)
    else:
        write_anew(editor, FSTAB, RUN)
    write_anew(editor, DROP_IN, f"# Written by rootfs-kit.\n[Unit]\nRequires={REMOUNT}\nAfter={REMOUNT}\n")
