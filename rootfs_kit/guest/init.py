"""Init: what the kernel starts first, from an image (/sbin/init) and from an initrd (/init).

An initrd is unpacked into the kernel's own first filesystem, and of that the kernel starts /init only (kernel
Documentation/filesystems/ramfs-rootfs-initramfs.rst); of an image it starts /sbin/init and never looks at /init. So
one link at the root serves both, and Kata's initrd_builder.sh (80-91), which otherwise writes one into the user's
rootfs as root, leaves it alone. It notes that /init did not always follow two links in a row: ours names the program
itself, so that there is one link on the way and no more.
"""

from __future__ import annotations

from rootfs_kit.guest.agent import Agent
from rootfs_kit.guest.places import SYSTEMD, holds_a_system
from rootfs_kit.tree import RootfsEditor

INIT = "/sbin/init"
INITRAMFS_INIT = "/init"


def let_agent_be_init(editor: RootfsEditor, agent: Agent) -> None:
    """Make the installed agent /sbin/init itself, and its own name a link to it.

    A link to systemd at /sbin/init is replaced, not written through: rootfs.sh overwrote the build host's init that
    way once (kata-containers#430). The link is right wherever /sbin leads: /usr/bin/../../sbin is the tree's /sbin.
    """
    editor.rename(agent.path, INIT)
    if editor.lstat(agent.path) is None:
        editor.symlink(agent.path, "../../sbin/init")


def let_systemd_be_init(editor: RootfsEditor) -> None:
    """Where systemd is installed and nothing is /sbin/init, link it there.

    openSUSE has the link in a package of its own, which nothing in a guest requires (systemd-sysvinit).
    """
    systemd = next((path for path in SYSTEMD if editor.is_executable(path)), None)
    if systemd is not None and editor.lstat(INIT) is None:
        editor.symlink(INIT, systemd)


def start_from_initramfs(editor: RootfsEditor) -> None:
    """Let /init be the program that /sbin/init is, by one link.

    What a package put there as a file of its own stays. In an overlay without an init of its own, /init names the
    systemd that the base will bring, as the base's /sbin/init does.
    """
    entry = editor.lstat(INITRAMFS_INIT)
    if entry is not None and not entry.is_symlink:
        return
    program = editor.resolve(INIT).final
    if program is None and not holds_a_system(editor):
        program = SYSTEMD[0]
    if program is not None:
        _link(editor, program.lstrip("/"))


def _link(editor: RootfsEditor, target: str) -> None:
    entry = editor.lstat(INITRAMFS_INIT)
    if entry is None or entry.target != target:
        editor.symlink(INITRAMFS_INIT, target)
