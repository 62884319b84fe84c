"""Layout: the directories and links that the kernel, the agent and the init system find before anything else runs."""

from __future__ import annotations

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.suite.check import ERROR, FULL, INFO, Finding, check, report, require
from rootfs_kit.tree import RootfsTree

MERGED = ("/bin", "/sbin", "/lib")
MULTILIB = ("/lib32", "/lib64", "/libx32")
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
    links = (entry.path for entry in rootfs.walk() if entry.is_symlink and not _is_made_at_boot(entry.target or ""))
    report(_dangling(rootfs, path) for path in links if not rootfs.exists(path) and path not in CRITICAL_LINKS)


def _is_made_at_boot(target: str) -> bool:
    """Links into the file systems that are mounted at boot dangle by design (/etc/mtab -> /proc/mounts)."""
    return target.startswith(("/proc/", "/run/", "/sys/", "/dev/", "../proc/", "../run/"))
