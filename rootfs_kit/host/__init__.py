"""What this host is and can do: its distribution, its rights, its kernel, its container engine.

Facts only; whether a build needs them, and what to do where they are lacking, is `doctor.py`'s business. Rights are
tried out in a child process, since what the kernel's configuration promises, a security module may still refuse.
"""

from __future__ import annotations

import ctypes
import os
import platform
import pwd
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rootfs_kit.backends import Command, Tool
from rootfs_kit.talk import ask

CLONE_NEWNS = 0x00020000  # linux/sched.h
CLONE_NEWUSER = 0x10000000
SYS_OPENAT2 = 437  # the same number on every architecture: Linux 5.6, asm-generic/unistd.h
RESOLVE_IN_ROOT = 0x10  # linux/openat2.h

ID_MAPPER = Tool(
    "newuidmap",
    {"debian": "uidmap", "fedora": "shadow-utils", "alpine": "shadow-subids", "opensuse": "shadow", "arch": "shadow"},
)

ENGINES = ("docker", "podman")
ENGINE_SECONDS = 15


@dataclass(frozen=True)
class PackageManager:
    """How this host installs packages: `ids` are what its os-release calls it, or says it is like."""

    ids: tuple[str, ...]
    install: str


PACKAGE_MANAGERS = (
    PackageManager(("debian", "ubuntu"), "apt-get install -y"),
    PackageManager(("fedora", "rhel", "centos", "azurelinux", "mariner"), "dnf install -y"),
    PackageManager(("alpine",), "apk add"),
    PackageManager(("opensuse", "suse", "sles"), "zypper install -y"),
    PackageManager(("arch",), "pacman -S --needed"),
)


def host_ids() -> tuple[str, ...]:
    """What os-release(5) calls this host, then what it says it is like; empty where it says nothing."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ()
    return (release.get("ID", ""), *release.get("ID_LIKE", "").split())


def is_root() -> bool:
    return os.geteuid() == 0


def as_root(command: str) -> str:
    """`command` as this user has to type it."""
    return command if is_root() else f"sudo {command}"


def install_command(tools: Sequence[Tool]) -> str:
    """The command that installs `tools` on this host; in words, where no package of its distribution has one."""
    ids = host_ids()
    manager = next((each for each in PACKAGE_MANAGERS if set(ids) & set(each.ids)), None)
    unknown = [tool.program for tool in tools if manager is None or not _package_of(tool, (*ids, *manager.ids))]
    if manager is None or unknown:
        return f"install {', '.join(unknown)}: no package of this host's distribution is known to bring it"
    packages = [_package_of(tool, (*ids, *manager.ids)) for tool in tools]
    return as_root(f"{manager.install} {' '.join(dict.fromkeys(packages))}")


def can_make_user_namespace() -> bool:
    return _succeeds_in_child(lambda: _unshare(CLONE_NEWUSER))


def can_make_mount_namespace() -> bool:
    """In a user namespace of one's own, where this is not root."""
    return _succeeds_in_child(_make_mount_namespace)


def has_openat2() -> bool:
    """Whether openat2(2) resolves inside a root here; an old kernel lacks it, and so do some containers."""
    how = (ctypes.c_uint64 * 3)(os.O_PATH | os.O_CLOEXEC, 0, RESOLVE_IN_ROOT)
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.syscall(SYS_OPENAT2, -100, b"/", ctypes.byref(how), ctypes.sizeof(how))
    if descriptor >= 0:
        os.close(descriptor)
    return bool(descriptor >= 0)


def namespace_switch() -> str:
    """The sysctl setting that lets users make namespaces here: a distribution's own switch, or the kernel's limit."""
    own = {"unprivileged_userns_clone": ("0", "1"), "apparmor_restrict_unprivileged_userns": ("1", "0")}
    for name, (shut, open_) in own.items():
        try:
            if Path("/proc/sys/kernel", name).read_text().strip() == shut:
                return f"kernel.{name}={open_}"
        except OSError:
            continue
    return "user.max_user_namespaces=15000"


def user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def answering_engine() -> tuple[str | None, str]:
    """The first container engine that answers, and what was found on the way."""
    words = []
    for engine in ENGINES:
        if shutil.which(engine) is None:
            words.append(f"no {engine}")
            continue
        complaint = _engine_complaint(engine)
        if complaint is None:
            return engine, f"{engine} answers"
        words.append(f"{engine}: {complaint}")
    return None, "; ".join(words)


def free_bytes(path: Path) -> int | None:
    """The space that is free for this user at `path`, or at the nearest parent that exists."""
    for place in (path, *path.parents):
        try:
            usage = os.statvfs(place)
        except OSError:
            continue
        return usage.f_bavail * usage.f_frsize
    return None


def available_memory() -> int | None:
    """The bytes of memory that could be had without swapping, as /proc/meminfo(5) estimates it."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    values = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(values[0]) * 1024 if values else None


def _package_of(tool: Tool, ids: Sequence[str]) -> str:
    return next((tool.packages[name] for name in ids if name in tool.packages), "")


def _engine_complaint(engine: str) -> str | None:
    answer = ask(Command((engine, "ps", "--quiet"), is_client=True), ENGINE_SECONDS)
    return answer.last_words if answer.status else None


def _unshare(flags: int) -> bool:
    return bool(ctypes.CDLL(None).unshare(flags) == 0)


def _make_mount_namespace() -> bool:
    """AppArmor lets users make namespaces, and takes the rights away that there are in them: so use one."""
    from rootfs_kit.host.namespaces import enter_private_mounts

    if not is_root() and not _unshare(CLONE_NEWUSER):
        return False
    try:
        enter_private_mounts()
    except OSError:
        return False
    return True


def _succeeds_in_child(attempt: Callable[[], bool]) -> bool:
    child = os.fork()
    if child == 0:
        os._exit(0 if attempt() else 1)
    return os.waitpid(child, 0)[1] == 0
