"""Leftovers: what a build, and the machine that it ran on, leave behind and no guest should have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from rootfs_kit.suite.check import FULL, WARN, Finding, check, report
from rootfs_kit.tree import Entry, RootfsTree

LOGS = "/var/log"
SCAFFOLDING = (
    "/.dockerenv", "/.rootfs-kit-run", "/debootstrap", "/etc/apt/apt.conf.d/99mmdebstrap.orig",
    "/usr/sbin/policy-rc.d", "/usr/sbin/start-stop-daemon.REAL", "/sbin/start-stop-daemon.REAL",
)  # fmt: skip
EMULATORS = ("/usr/bin", "qemu-*-static")
# What package managers put beside a file that somebody changed (dpkg(1), rpm(8), apk(8), pacman(8)).
UNSETTLED = (".dpkg-new", ".dpkg-tmp", ".dpkg-dist", ".rpmnew", ".apk-new", ".pacnew")
PERSONAL = (
    "/root/.ash_history", "/root/.aws/credentials", "/root/.bash_history", "/root/.cargo/credentials.toml",
    "/root/.config/gh/hosts.yml", "/root/.docker/config.json", "/root/.git-credentials", "/root/.gitconfig",
    "/root/.kube/config", "/root/.lesshst", "/root/.netrc", "/root/.npmrc", "/root/.pypirc", "/root/.python_history",
    "/root/.viminfo", "/root/.wget-hsts", "/etc/apt/auth.conf",
)  # fmt: skip
PRIVATE_KEYS = (("/root/.ssh", "id_*"), ("/etc/apt/auth.conf.d", "*"), ("/etc/ssl/private", "*.key"))
BACKUPS = ("/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-")
SHADOW = "/etc/shadow"
HASH = re.compile(r"\$[0-9a-z]+\$")
KERNELS = ("vmlinuz*", "vmlinux*", "initrd*", "initramfs*", "System.map*")
TOOLCHAINS = ("/root/.cargo", "/root/.rustup", "/usr/local/go", "/usr/lib/go", "/usr/lib/rustlib", "/usr/src/linux")
MOST_HEADERS = 200
"""Some packages keep a header or two in /usr/include (iproute2's bpf_elf.h); a development package brings hundreds."""


@check("PKG-03", severity=WARN, content=FULL, source="kata-containers#4667; rootfs.sh:693-695 wipes /var/log")
def test_no_logs_are_left(rootfs: RootfsTree) -> None:
    """Guards against the logs of the build: they tell of its machine, and differ between two builds.

    Empty files may stay, as some daemons want theirs to exist.
    """
    report(
        Finding(
            entry.path,
            found=f"a log of {entry.size} bytes",
            expected=f"no logs below {LOGS}",
            at_boot="the guest boots; its image tells of the machine that built it, and is never the same twice",
            mend=f"remove the files in {LOGS} at the end of the build",
        )
        for entry in rootfs.walk(LOGS)
        if entry.is_file and entry.size
    )


@check("PKG-03", severity=WARN, content=FULL, source="debootstrap(8); invoke-rc.d(8), policy-rc.d")
def test_no_scaffolding_is_left(rootfs: RootfsTree) -> None:
    """Guards against what only the build needed: policy-rc.d that forbids services, an emulator of a cross build.

    Remove it when the last package is installed.
    """
    present = [path for path in SCAFFOLDING if rootfs.lstat(path) is not None]
    report(
        Finding(
            path,
            found=rootfs.file(path).describe(),
            expected="nothing of the build's own tools",
            at_boot="the guest boots; packages that are added later do not start their services, and room is wasted",
            mend=f"remove {path} at the end of the build",
        )
        for path in (*present, *_matching(rootfs, *EMULATORS))
    )


@check("PKG-03", severity=WARN, content=FULL, source="dpkg(1), --force-confnew; rpm(8); apk(8); pacman(8)")
def test_no_configuration_is_unsettled(rootfs: RootfsTree) -> None:
    """Guards against a package whose configuration was installed beside the one in force, and never looked at."""
    report(
        Finding(
            entry.path,
            found=f"a second version of {entry.path.rpartition('.')[0]}",
            expected="one version of each file",
            at_boot="the guest boots with the older one, which may not suit the program",
            mend="merge the two, or remove the one that is not wanted",
        )
        for entry in rootfs.walk("/etc")
        if entry.is_file and entry.path.endswith(UNSETTLED)
    )


@check("PKG-03", severity=WARN, content=FULL, source="shadow(5), passwd(5); ssh-keygen(1); netrc(5)")
def test_nothing_personal_is_left(rootfs: RootfsTree) -> None:
    """Guards against credentials and histories of whoever built the rootfs: everybody who has the image has them.

    Remove them, and treat what leaked as lost: make new keys.
    """
    files = [path for path in (*PERSONAL, *BACKUPS) if _holds_something(rootfs.lstat(path))]
    keys = [path for where in PRIVATE_KEYS for path in _matching(rootfs, *where) if not path.endswith(".pub")]
    report(
        Finding(
            path,
            found=rootfs.file(path).describe(),
            expected="nothing of the person or the machine that built the rootfs",
            at_boot="the guest boots; whoever has the image has what is in this file",
            mend=f"remove {path}, and replace what it gives access to",
        )
        for path in (*files, *keys)
    )


@check("PKG-03", severity=WARN, content=FULL, source="shadow(5), crypt(5)")
def test_no_password_is_set(rootfs: RootfsTree) -> None:
    """Guards against a password that is the same in every guest: its hash can be broken by everybody with the image.

    Lock the account (`usermod -L`), or write `*`.
    """
    if not rootfs.file(SHADOW).is_file:
        return
    fields = (line.split(":") for line in rootfs.file(SHADOW).read_text().splitlines())
    report(
        Finding(
            SHADOW,
            found=f"a password of {line[0]}",
            expected="locked accounts (* or !)",
            at_boot="all guests of this image have the same password, and so has everybody who has the image",
            mend=f"lock the account {line[0]} at the end of the build",
        )
        for line in fields
        if len(line) > 1 and HASH.match(line[1])
    )


@check("PKG-03", severity=WARN, content=FULL, source="kata-containers#3216 (14 MB became 113 MB)")
def test_no_kernel_and_no_sources_are_left(rootfs: RootfsTree) -> None:
    """Guards against what makes a guest ten times larger: a kernel with its initrd, toolchains, headers of libraries.

    The runtime brings the kernel. Find the package that pulled it in, and install without recommendations.
    """
    headers = sum(entry.is_file for entry in rootfs.walk("/usr/include"))
    places = [path for pattern in KERNELS for path in _matching(rootfs, "/boot", pattern)]
    places += [path for path in TOOLCHAINS if rootfs.lstat(path) is not None]
    places += ["/usr/include"] if headers > MOST_HEADERS else []
    report(
        Finding(
            path,
            found=rootfs.file(path).describe(),
            expected="only what a guest runs",
            at_boot="the guest boots, with an image that is larger than need be",
            mend="leave out the package that brings it, or remove it at the end of the build",
        )
        for path in places
    )


def _holds_something(entry: Entry | None) -> bool:
    return entry is not None and entry.is_file and entry.size > 0


def _matching(rootfs: RootfsTree, directory: str, pattern: str) -> Iterator[str]:
    paths = (f"{directory}/{name}" for name in rootfs.listdir(directory) if fnmatchcase(name, pattern))
    return (path for path in paths if _holds_something(rootfs.lstat(path)))
