"""An overlay: only Kata's files, in a tree of somebody else's, or in a new directory to be laid over one later.

A tree that is there keeps all that it has; the steps find out where things are in it. A new directory has to fit any
base, by `cp -a --remove-destination`, by tar and by dracut's --include, so that it holds no directory that is a link
elsewhere: no /bin, /lib or /lib64. Units go to /usr/lib/systemd, which systemd reads on split-usr trees too.

With the agent as init there is one path that differs between bases. A new directory is made for merged-usr bases: the
program is /usr/sbin/init, and /sbin a link to usr/sbin as it is in the base. Over a split-usr base (Alpine up to 3.21)
or one without a /usr/sbin of its own (Fedora from 42 on), cp stops at that link with an error. For those, run
`rootfs-kit overlay` on the base itself. A plain `cp -a` never: it writes through the links of a base, and where
/sbin/init leads to /lib/systemd/systemd it overwrites this host's (kata-containers#430).

Not done here, and done by rootfs.sh:670-701: wiping /var/lib, /var/cache, /var/log and /var/tmp; a /var/tmp that leads
to /tmp, which over a directory of a base cannot be laid; a real /lib and /sbin; a /sbin/init that leads to systemd,
which every base with systemd has.
"""

from __future__ import annotations

from rootfs_kit.guest.places import holds_a_system
from rootfs_kit.request import BuildRequest
from rootfs_kit.tree import RootfsEditor


def prepare_overlay(editor: RootfsEditor, request: BuildRequest) -> None:
    """Choose the layout of a new directory; a tree that is there has one."""
    if request.agent_init and not holds_a_system(editor) and editor.lstat("/sbin") is None:
        editor.make_directory("/usr/sbin")
        editor.symlink("/sbin", "usr/sbin")
