"""Layout: the directories and links that the kernel, the agent and the init system find before anything else runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.suite.accounts import groups_of, users_of
from rootfs_kit.suite.check import ERROR, FULL, INFO, WARN, Finding, check, report, require
from rootfs_kit.suite.survey import survey
from rootfs_kit.tree import Entry, Kind, RootfsTree

MERGED = ("/bin", "/sbin", "/lib")
MULTILIB = ("/lib32", "/lib64", "/libx32")
AGENT = "/usr/bin/kata-agent"  # AGT-01 is about its mode
INITRD_DEVICES = [("/dev/console", (5, 1)), ("/dev/null", (1, 3))]
PLACES_OF_PROGRAMS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/lib", "/lib", "/usr/libexec")
# What Debian, Fedora, openSUSE, Arch and Alpine ship with the bit: shadow, util-linux, PAM, D-Bus, polkit, sudo, …
USUAL_SETUID = frozenset({
    "at", "bbsuid", "bsd-write", "chage", "chfn", "chsh", "cockpit-session", "crontab", "dbus-daemon-launch-helper",
    "doas", "dotlockfile", "expiry", "fusermount", "fusermount3", "gpasswd", "grub2-set-bootflag", "ksu", "locate",
    "mail-lock", "mail-touchlock", "mail-unlock", "mlocate", "mount", "mount.cifs", "mount.nfs", "newgidmap", "newgrp",
    "newuidmap", "ntfs-3g", "pam_extrausers_chkpwd", "pam_timestamp_check", "passwd", "ping", "ping6", "pkexec",
    "plocate", "polkit-agent-helper-1", "postdrop", "postqueue", "sg", "ssh-agent", "ssh-keysign", "su", "sudo",
    "sudoedit", "suexec", "umount", "unix2_chkpwd", "unix_chkpwd", "usernetctl", "userhelper", "utempter", "wall",
    "write", "write.ul",
})  # fmt: skip
# The way to the programs, libraries and settings of every service, and to its state; links among them lead to others.
ON_THE_WAY = (
    "/bin", "/sbin", "/lib", "/lib64", "/etc", "/usr", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/libexec",
    "/usr/share", "/var", "/var/lib", "/usr/lib/systemd", "/lib/systemd",
)  # fmt: skip
MULTIARCH = re.compile(r"[a-z0-9_]+-linux-[a-z0-9]+")
CRITICAL_LINKS = ("/sbin/init", "/bin/sh", "/etc/os-release", "/etc/localtime")


@check("LAY-01", severity=ERROR, source="kata-containers/osbuilder#127")
def test_every_part_of_the_rootfs_can_be_read(rootfs: RootfsTree) -> None:
    """Guards against a verdict on a tree that was only half seen.

    A directory that may not be entered, or a root that is no directory, would make every other check guess. Run as
    a user who may read the tree, or judge an archive of it, which needs no rights.
    """
    unreadable = rootfs.unreadable
    if unreadable:
        shown = ", ".join(f"{part.path} ({part.reason})" for part in unreadable[:5])
        more = f" and {len(unreadable) - 5} more" if len(unreadable) > 5 else ""
        raise CouldNotLook(
            "reading the rootfs",
            f"{len(unreadable)} parts of it cannot be read: {shown}{more}",
            rootfs.unreadable_hint,
        )


@check("LAY-02", severity=ERROR, content=FULL, source="src/agent/src/mount.rs:134")
@pytest.mark.parametrize("directory", ["/dev", "/proc", "/run", "/sys", "/tmp"])
def test_mount_point_is_there(rootfs: RootfsTree, directory: str) -> None:
    """Guards against a root without the directories that the agent or systemd mounts on.

    On a read-only root they cannot be made at boot. Create the directory (`install -d`) in the rootfs.
    """
    require(
        rootfs.file(directory).is_directory,
        directory,
        found=rootfs.file(directory).describe(),
        expected="a directory, or a link to one inside the rootfs",
        at_boot="mounting there fails; on a read-only root nobody can make it, and the guest powers off",
        mend=f"create the directory {directory} in the rootfs",
    )


@check("LAY-02", severity=ERROR, content=FULL, source="tmpfiles.d(5), hier(7)")
def test_tmp_is_sticky_and_open_to_all(rootfs: RootfsTree) -> None:
    """Guards against a /tmp that ordinary users cannot write, or where they can remove each other's files."""
    tmp = rootfs.file("/tmp")
    if not tmp.is_directory:
        pytest.skip("there is no /tmp: test_mount_point_is_there reports that")
    require(
        tmp.mode == 0o1777,
        "/tmp",
        found=f"mode {tmp.mode:04o}",
        expected="mode 1777",
        at_boot="with the agent as init nothing mounts over /tmp: programs that are not root cannot write there",
        mend="chmod 1777 the rootfs's /tmp",
    )


@check("LAY-02", severity=ERROR, content=FULL, source="kata-containers#6677 (rootfs.sh: chmod g+rx,o+x)")
def test_root_directory_can_be_searched_by_all(rootfs: RootfsTree) -> None:
    """Guards against a root directory that only root may enter: dbus-broker, which is not root, then cannot start."""
    root = rootfs.lstat("/")
    mode = root.mode if root else 0
    require(
        mode & 0o011 == 0o011,
        "/",
        found=f"mode {mode:04o}",
        expected="search permission for group and others (0755 as a rule)",
        at_boot="services that drop root cannot resolve any path: D-Bus does not come up",
        mend="chmod g+rx,o+x the root directory of the rootfs",
    )


@check("LAY-02", severity=ERROR, content=FULL, source="path_resolution(7); kata-containers#6677")
def test_directories_on_the_way_can_be_searched_by_all(rootfs: RootfsTree) -> None:
    """Guards against /usr, /etc or a directory of programs or libraries that only root may search.

    A umask of 077, or a chmod of files that took directories along, does that. What the guest mounts over (/run, /tmp)
    may have any mode.
    """
    report(
        Finding(
            entry.path,
            found=f"mode {entry.mode:04o}",
            expected="search permission for group and others (0755 as a rule)",
            at_boot="services that drop root (D-Bus, chronyd) find no program, library or setting there, and fail",
            mend=f"chmod 755 the rootfs's {entry.path}",
        )
        for entry in _directories_on_the_way(rootfs)
        if entry.mode & 0o011 != 0o011
    )


def _directories_on_the_way(rootfs: RootfsTree) -> Iterator[Entry]:
    libraries = [f"{above}/{name}" for above in ("/lib", "/usr/lib") for name in rootfs.listdir(above)]
    for path in (*ON_THE_WAY, *(path for path in libraries if MULTIARCH.fullmatch(path.rpartition("/")[2]))):
        entry = rootfs.lstat(path)
        if entry is not None and entry.is_directory and rootfs.resolve(path).final == path:
            yield entry


@check("LAY-03", severity=ERROR, content=FULL, source="src/agent/src/namespace.rs:19")
def test_var_run_is_run(rootfs: RootfsTree) -> None:
    """Guards against a /var/run that is not /run.

    The agent keeps its sandbox namespaces under /var/run/sandbox-ns and expects them on the tmpfs of /run. Make
    /var/run a link to /run.
    """
    resolution = rootfs.resolve("/var/run")
    require(
        resolution.final == "/run",
        "/var/run",
        found=rootfs.file("/var/run").describe(),
        expected="a link to /run",
        at_boot="the agent cannot keep its namespaces in /var/run/sandbox-ns: every sandbox fails on a read-only root",
        mend="make /var/run a symbolic link to /run",
    )


@check("LAY-03", severity=ERROR, content=FULL, source="file-hierarchy(7)")
def test_var_tmp_is_a_directory(rootfs: RootfsTree) -> None:
    """Guards against a /var/tmp that leads nowhere; osbuilder makes it a link to ../tmp."""
    require(
        rootfs.file("/var/tmp").is_directory,
        "/var/tmp",
        found=rootfs.file("/var/tmp").describe(),
        expected="a directory, or a link to one (../tmp)",
        at_boot="services with PrivateTmp=yes fail to start, and programs that keep files there fail",
        mend="make /var/tmp a symbolic link to ../tmp",
    )


@check("LAY-04", severity=ERROR, source="file-hierarchy(7); GNU tar turns /bin into a directory when it unpacks ./bin/")
def test_merged_usr_is_whole(rootfs: RootfsTree) -> None:
    """Guards against a merged-usr tree in which one of the links was replaced by a directory.

    A tarball that holds ./bin/ does that when GNU tar unpacks it: /bin/sh, and all that was in /usr/bin, is gone
    from /bin. Unpack with `tar --keep-directory-symlink`, or with rootfs-kit.
    """
    present = [path for path in MERGED if rootfs.lstat(path) is not None]
    links = [path for path in present if rootfs.file(path).is_symlink]
    torn = [path for path in present if path not in links] if links else []
    torn += [path for path in MULTILIB if links and rootfs.file(path).is_directory and not rootfs.file(path).is_symlink]
    report(
        Finding(
            path,
            found=f"a directory of its own, while {links[0]} is a link into /usr",
            expected=f"a link to usr{path}",
            at_boot=f"all that lives in /usr{path} is missing under {path}: /bin/sh or the loader cannot be found",
            mend=f"move what is in {path} to /usr{path}, and make {path} a link again",
        )
        for path in torn
    )


@check("LAY-04", severity=ERROR, content=FULL, source="file-hierarchy(7)")
def test_merged_usr_links_lead_into_usr(rootfs: RootfsTree) -> None:
    """Guards against /bin, /sbin or /lib being a link that leads anywhere but to a directory of /usr."""
    links = [path for path in (*MERGED, *MULTILIB) if rootfs.file(path).is_symlink]
    astray = [path for path in links if not _leads_into_usr(rootfs, path)]
    report(
        Finding(
            path,
            found=rootfs.file(path).describe(),
            expected=f"a link to the directory usr{path}",
            at_boot="programs and the loader are not found by the paths that are built into every binary",
            mend=f"make {path} a link to usr{path}",
        )
        for path in astray
    )


def _leads_into_usr(rootfs: RootfsTree, path: str) -> bool:
    final = rootfs.resolve(path).final or ""
    return final.startswith("/usr/") and rootfs.file(path).is_directory


@check("LAY-05", severity=ERROR, content=FULL, source="image_builder.sh:199-205 passes a dangling init")
def test_critical_links_lead_somewhere(rootfs: RootfsTree) -> None:
    """Guards against a dangling link where the guest cannot do without what it names.

    Links are followed inside the rootfs, as the guest's kernel will: an absolute one starts again at its root.
    """
    broken = [path for path in CRITICAL_LINKS if rootfs.file(path).is_symlink and not rootfs.exists(path)]
    report(_dangling(rootfs, path) for path in broken if path != "/sbin/init")


def _dangling(rootfs: RootfsTree, path: str) -> Finding:
    return Finding(
        path,
        found=rootfs.file(path).describe(),
        expected="a link that leads to something inside the rootfs",
        at_boot=f"whatever opens {path} fails as if it were not there",
        mend="install what it points to, or make the link right",
    )


@check("LAY-05", severity=INFO, content=FULL, source="symlink(7)")
def test_other_links_lead_somewhere(rootfs: RootfsTree) -> None:
    """Lists the links that lead nowhere: mostly left behind by trimmed documentation, sometimes a lost file."""
    links = (entry.path for entry in rootfs.walk("/", Kind.SYMLINK) if not _is_made_at_boot(entry.target or ""))
    report(_dangling(rootfs, path) for path in links if not rootfs.exists(path) and path not in CRITICAL_LINKS)


def _is_made_at_boot(target: str) -> bool:
    """Links into the file systems that are mounted at boot dangle by design (/etc/mtab -> /proc/mounts)."""
    return target.startswith(("/proc/", "/run/", "/sys/", "/dev/", "../proc/", "../run/"))


@check("LAY-06", severity=WARN, content=FULL, source="chmod(2); inode(7)")
def test_setuid_programs_are_the_usual_ones(rootfs: RootfsTree) -> None:
    """Guards against programs that give rights away and that no distribution ships so.

    Known are the programs of the base system (su, mount, passwd, …), where packages install them and writable by root
    alone. Clear the bit; or say with `setuid` in the expectations which files may have it.
    """
    report(
        Finding(
            entry.path,
            found=f"mode {entry.mode:04o}, owner {entry.uid}:{entry.gid}",
            expected="no setuid or setgid bit, but for the base system's own programs",
            at_boot="any process of the guest can use the rights of the file's owner",
            mend="chmod ug-s it, or remove it",
        )
        for entry in survey(rootfs).setuid
        if not _is_a_usual_setuid_program(entry)
    )


def _is_a_usual_setuid_program(entry: Entry) -> bool:
    where, _, name = entry.path.rpartition("/")
    is_in_place = where.startswith(PLACES_OF_PROGRAMS) and not where.startswith("/usr/local")
    return name in USUAL_SETUID and is_in_place and not entry.mode & 0o022


@check("LAY-06", severity=WARN, content=FULL, source="unix(7): a socket is made by the process that listens")
def test_no_sockets_are_left(rootfs: RootfsTree) -> None:
    """Guards against sockets of daemons that ran during the build (gpg-agent's, dirmngr's): nobody listens there."""
    report(
        Finding(
            entry.path,
            found=f"a socket, mode {entry.mode:04o}",
            expected="no socket in a rootfs at rest",
            at_boot="the guest boots; whoever connects there is refused",
            mend=f"remove {entry.path}, and stop its daemon at the end of the build",
        )
        for entry in survey(rootfs).sockets
    )


@check("LAY-06", severity=WARN, content=FULL, source="chmod(2); inode(7), the sticky bit")
def test_only_root_may_change_the_system(rootfs: RootfsTree) -> None:
    """Guards against files, and directories without the sticky bit, that any user of the guest may write."""
    report(
        Finding(
            entry.path,
            found=f"a {entry.kind} that anybody may write, mode {entry.mode:04o}",
            expected="no write permission for others",
            at_boot="any process of the guest can change what others rely on",
            mend=f"chmod o-w {entry.path}",
        )
        for entry in survey(rootfs).writable
        if entry.path not in ("/tmp", AGENT)
    )


@check("LAY-06", severity=WARN, content=FULL, source="chown(2); passwd(5), group(5)")
@pytest.mark.parametrize(("who", "database"), [("user", "/etc/passwd"), ("group", "/etc/group")], ids=["user", "group"])
def test_every_owner_is_known(rootfs: RootfsTree, who: str, database: str) -> None:
    """Guards against files of the person who built or unpacked the rootfs: numbers that the guest has no name for.

    Unpack as root, or in a user namespace that maps the owners; or `chown -R --from=UID 0:0` the tree.
    """
    known = set((users_of(rootfs) if who == "user" else groups_of(rootfs)).values())
    if not known:
        pytest.skip(f"there is no {database} to know anybody by")
    owned = survey(rootfs).users if who == "user" else survey(rootfs).groups
    report(
        Finding(
            owner.first,
            found=f"belongs to {who} {number}, as do {owner.count} entries in all",
            expected=f"a {who} of the rootfs's {database}",
            at_boot=f"the guest boots; whichever {who} is given that number there owns these files",
            mend="chown them to root, or unpack the rootfs as root",
        )
        for number, owner in sorted(owned.items())
        if number not in known | {0}
    )


@check(
    "LAY-07",
    severity=ERROR,
    features=["initrd"],
    content=FULL,
    source="kata-containers#6261; kernel Documentation/admin-guide/devices.txt",
)
@pytest.mark.parametrize(("path", "device"), INITRD_DEVICES, ids=["console", "null"])
def test_initrd_has_its_first_devices(rootfs: RootfsTree, path: str, device: tuple[int, int]) -> None:
    """Guards against a guest that is mute: of an initrd the kernel opens /dev/console before anything is mounted.

    Make the nodes as root (`mknod -m 600 dev/console c 5 1`, `mknod -m 666 dev/null c 1 3`), or write an archive that
    holds them.
    """
    entry = rootfs.lstat(path)
    require(
        entry is not None and entry.kind is Kind.CHAR_DEVICE and entry.device == device,
        path,
        found=f"character device {entry.device[0]}:{entry.device[1]}"
        if entry is not None and entry.device
        else rootfs.file(path).describe(),
        expected=f"character device {device[0]}:{device[1]}",
        at_boot="the kernel warns: unable to open an initial console; init has no standard output, and its log is lost",
        mend=f"make the node {path} (mknod {path.lstrip('/')} c {device[0]} {device[1]})",
    )


@check("LAY-07", severity=WARN, content=FULL, source="null(4); kernel Documentation/admin-guide/devices.txt")
def test_dev_holds_no_ordinary_files(rootfs: RootfsTree) -> None:
    """Guards against /dev/null as a file: somebody wrote to it in a chroot that had no devices. FIFOs are no better.

    Remove them: the guest's /dev is a file system of its own.
    """
    report(
        Finding(
            entry.path,
            found=f"a {entry.kind} of {entry.size} bytes",
            expected="device nodes, links and directories",
            at_boot="until devtmpfs is mounted, what is written there fills the root, and what is read is old",
            mend=f"remove {entry.path}",
        )
        for entry in rootfs.walk("/dev")
        if entry.kind in (Kind.FILE, Kind.FIFO)
    )


@check("LAY-08", severity=WARN, content=FULL, source="src/agent/src/mount.rs:55-64 mounts over all of them")
@pytest.mark.parametrize("directory", ["/proc", "/run", "/sys", "/tmp"])
def test_nothing_lies_under_a_mount(rootfs: RootfsTree, directory: str) -> None:
    """Guards against files that no guest will ever see, as its own file systems are mounted over them.

    They come from a tree that was copied while it ran, or are what the build left in /tmp. Remove them.
    """
    if not rootfs.file(directory).is_directory:
        pytest.skip(f"there is no {directory}: test_mount_point_is_there reports that")
    report(
        Finding(
            entry.path,
            found=f"a {entry.kind} of {entry.size} bytes",
            expected=f"nothing but directories below {directory}",
            at_boot=f"the guest boots; it takes room in the image, and {directory} is mounted over it",
            mend=f"empty {directory} at the end of the build",
        )
        for entry in rootfs.walk(directory)
        if entry.is_file
    )
