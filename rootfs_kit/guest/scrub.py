"""Takes out of a fresh tree what belongs to the machine that built it, or to one machine only, and what is left over.

Every guest of an image would share it: an identity, a host name, a name server, a key. What daemons expect to find
when they start (their own directories below /var) stays.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from rootfs_kit.axes import InitMode
from rootfs_kit.guest.places import write_anew
from rootfs_kit.guest.resolver import empty_resolver
from rootfs_kit.tree import RootfsEditor
from rootfs_kit.tree.paths import join

HOSTS = "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n"

# Emptied; the directory itself stays, with its owner and mode.
EMPTIED = ("/var/cache", "/var/lib/apt/lists", "/tmp")
# Files go, and directories stay for the daemons that own them and for the links that lead there (/var/lock).
RID_OF_FILES = ("/run", "/var/log")
# But for the logs of tools that no guest runs, and for /var/log/journal: where that exists journald keeps its journal
# there (journald.conf(5), Storage=auto), and in a guest it is memory, or a read-only disk.
LOGS_OF_NOBODY = ("/var/log/apt", "/var/log/journal", "/var/log/installer", "/var/log/unattended-upgrades")

# The agent, as init, and systemd both fall back to "localhost" without the first.
IDENTITIES = (
    "/etc/hostname", "/etc/hostid", "/etc/machine-info", "/var/lib/dbus/machine-id",
    "/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret", "/var/lib/systemd/timesync/clock",
    "/var/lib/urandom/random-seed",
)  # fmt: skip
LEFTOVERS = (
    "/.dockerenv", "/etc/.pwd.lock", "/root/.bash_history", "/root/.ash_history",
    "/root/.wget-hsts", "/root/.lesshst", "/root/.viminfo", "/root/.cache", "/etc/apt/auth.conf",
)  # fmt: skip
# Keys, credentials and backups, by directory and pattern.
BY_PATTERN = (
    ("/etc/ssh", "ssh_host_*_key*"),
    ("/etc", "passwd-"), ("/etc", "group-"), ("/etc", "shadow-"), ("/etc", "gshadow-"),
    ("/etc", "subuid-"), ("/etc", "subgid-"),
    ("/etc/apt/auth.conf.d", "*"),
    ("/var/lib/dhcp", "*.leases"), ("/var/lib/NetworkManager", "*lease*"), ("/var/backups", "*"),
)  # fmt: skip

MACHINE_ID = "/etc/machine-id"


def scrub(editor: RootfsEditor, mode: InitMode) -> None:
    """Take out of a tree that was just built whatever is not every guest's."""
    settle_var(editor)
    for directory in EMPTIED:
        empty(editor, directory)
    for directory in RID_OF_FILES:
        remove_files(editor, directory)
    for path in (*LOGS_OF_NOBODY, *IDENTITIES, *LEFTOVERS):
        editor.remove_tree(path)
    for directory, pattern in BY_PATTERN:
        for name in editor.listdir(directory):
            if fnmatchcase(name, pattern):
                editor.remove_tree(join(directory, name))
    empty_resolver(editor)
    write_anew(editor, "/etc/hosts", HOSTS)
    blank_machine_id(editor, mode)


def settle_var(editor: RootfsEditor) -> None:
    """/var/run leads to /run and /var/tmp to /tmp: both are memory in a guest, whose root may be read-only.

    The agent keeps namespaces in /var/run (src/agent/src/namespace.rs:19), and services with PrivateTmp need a
    /var/tmp that can be written to.
    """
    for path, target in (("/var/run", "/run"), ("/var/tmp", "../tmp")):
        entry = editor.lstat(path)
        if entry is None or not entry.is_symlink:
            editor.remove_tree(path)
            editor.symlink(path, target)


def empty(editor: RootfsEditor, directory: str) -> None:
    """Remove all that is in a directory."""
    if _is_own_directory(editor, directory):
        for name in editor.listdir(directory):
            editor.remove_tree(join(directory, name))


def remove_files(editor: RootfsEditor, directory: str) -> None:
    """Remove all that is in and below a directory, except directories."""
    if _is_own_directory(editor, directory):
        for entry in list(editor.walk(directory)):
            if not entry.is_directory:
                editor.remove(entry.path)


def _is_own_directory(editor: RootfsEditor, path: str) -> bool:
    """A link to a directory is somebody's decision: what is behind it may be more than it says."""
    entry = editor.lstat(path)
    return entry is not None and entry.is_directory


def blank_machine_id(editor: RootfsEditor, mode: InitMode) -> None:
    """Leave /etc/machine-id as an empty file.

    Empty, systemd mounts an id over it on every boot, on a read-only root as well, where a missing file keeps it from
    booting (kata-containers/runtime#1537). The word "uninitialized" would do the same and call each boot the first
    one, with its questions on the console (machine-id(5), "First Boot Semantics").
    """
    if mode is InitMode.SYSTEMD or editor.lstat(MACHINE_ID) is not None:
        write_anew(editor, MACHINE_ID, "", 0o444)
