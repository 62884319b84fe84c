"""Small trees as a package manager leaves them, before the guest layer has touched them: merged-usr and split-usr.

They hold what a real one holds that the guest layer looks at or has to take out.
"""

from __future__ import annotations

import os
from pathlib import Path

from rootfs_kit.axes import InitMode
from rootfs_kit.distro import Distro, PackageRules, Release
from rootfs_kit.monitor import SilentMonitor
from rootfs_kit.request import BuildRequest
from tests.support.agents import stand_in_agent
from tests.support.programs import systemd_program
from tests.support.trees import link, program, write

MERGED, SPLIT = "merged-usr", "split-usr"
MACHINE = os.uname().machine
EPOCH = 1_700_000_000

CHRONY_CONF = """\
pool 2.pool.example iburst
  Server ntp.example
sourcedir /run/chrony-dhcp
sourcedir /etc/chrony/sources.d
confdir /etc/chrony/conf.d
driftfile /var/lib/chrony/chrony.drift
makestep 1 3
"""
# The parts of Debian's unit that matter here (chrony 4.3: bookworm).
CHRONY_SERVICE = """\
[Unit]
Description=chrony
[Service]
Type=forking
User=_chrony
ExecStart=!/usr/sbin/chronyd $DAEMON_OPTS
ProtectSystem=strict
ReadWritePaths=/run /var/lib/chrony -/var/log
StateDirectory=chrony
LogsDirectory=chrony
[Install]
Alias=chronyd.service
"""

DISTRO = Distro(
    name="debian",
    title="Debian",
    directory=Path("/nowhere"),
    backend="mmdebstrap",
    default_version="trixie",
    releases=(Release("trixie", "13"),),
    init_modes=tuple(InitMode),
    architectures={MACHINE: MACHINE},
    packages=PackageRules(base=("kmod", "chrony")),
    trim=("/usr/share/doc", "/usr/share/m?n", "/usr/share/locale/[!C]*", "/nothing/there"),
    databases=("/var/lib/dpkg", "/var/lib/apt"),
)


class Listener(SilentMonitor):
    """Keeps what the pipeline says to the user."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, line: str) -> None:
        self.notes.append(line)

    def warn(self, line: str, *more: str) -> None:
        self.warnings.append(line)


def request(root: Path, **knobs: object) -> BuildRequest:
    """A build of `root` with the stand-in agent, unless `knobs` say otherwise."""
    agents = {"agent_bin", "agent_tarball", "agent"}
    if not agents & knobs.keys():
        knobs["agent_bin"] = stand_in_agent()
    return BuildRequest(root, distro="debian", arch=MACHINE, os_version="trixie", **knobs)  # type: ignore[arg-type]


def fresh_tree(root: Path, layout: str) -> Path:
    """A Debian tree with systemd, D-Bus, chrony, kmod and dpkg, and with the traces of its build."""
    _directories(root, layout)
    lib = "usr/lib" if layout == MERGED else "lib"
    program(root, f"{lib}/systemd/systemd", systemd_program())
    link(root, "sbin/init", f"/{lib}/systemd/systemd")
    for name in ("bin/sh", "bin/sync", "usr/bin/env", "usr/bin/systemctl", "usr/bin/dbus-daemon", "usr/sbin/chronyd"):
        program(root, name)
    program(root, "bin/kmod")
    link(root, "sbin/modprobe", "/bin/kmod")
    _etc(root)
    _units(root, f"{lib}/systemd/system")
    _var(root)
    write(root, "usr/share/doc/chrony/copyright", "text")
    write(root, "usr/share/man/man1/mawk.1.gz", "text")
    link(root, "etc/alternatives/awk.1.gz", "/usr/share/man/man1/mawk.1.gz")
    link(root, "etc/alternatives/awk", "/bin/sh")
    for name in ("de", "fr", "C.utf8"):
        write(root, f"usr/share/locale/{name}/text.mo", "text")
    return root


def _directories(root: Path, layout: str) -> None:
    for directory in ("dev", "proc", "sys", "run/lock", "tmp", "etc", "usr/bin", "usr/sbin", "usr/lib", "var", "root"):
        (root / directory).mkdir(parents=True)
    root.chmod(0o700)
    (root / "tmp").chmod(0o1777)
    for name in ("bin", "sbin", "lib"):
        if layout == MERGED:
            link(root, name, f"usr/{name}")
        else:
            (root / name).mkdir()


def _etc(root: Path) -> None:
    write(root, "usr/lib/os-release", 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n')
    link(root, "etc/os-release", "../usr/lib/os-release")
    write(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n_chrony:x:100:101::/var/lib/chrony:/usr/sbin/nologin\n")
    write(root, "etc/passwd-", "root:x:0:0:root:/root:/bin/sh\n")
    write(root, "etc/shadow-", "root:*:1::::::\n", 0o600)
    write(root, "etc/hostname", "buildhost\n")
    write(root, "etc/hosts", "127.0.0.1 localhost\n10.1.2.3 buildhost.corp.example\n")
    write(root, "etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0o444)
    write(root, "etc/resolv.conf", "nameserver 10.1.2.3\n")
    write(root, "etc/fstab", "# none\n")
    write(root, "etc/ssh/ssh_host_ed25519_key", "secret", 0o600)
    write(root, "etc/ssh/ssh_host_ed25519_key.pub", "public")
    write(root, "etc/ssh/sshd_config", "")
    write(root, "etc/chrony/chrony.conf", CHRONY_CONF, 0o640)
    write(root, "etc/chrony/sources.d/pools.sources", "pool ntp.ubuntu.example iburst\n# a comment\n")
    write(root, "etc/chrony/conf.d/extra.conf", "peer other.example\nmakestep 5 2\nmaxupdateskew 100.0\n")


def _units(root: Path, units: str) -> None:
    for name in ("sysinit.target", "rescue.target", "systemd-remount-fs.service"):
        write(root, f"{units}/{name}", "[Unit]\n")
    write(root, f"{units}/basic.target", "[Unit]\nRequires=sysinit.target\nWants=systemd-journald.service\n")
    write(root, f"{units}/dbus.socket", "[Socket]\nListenStream=/run/dbus/system_bus_socket\n")
    write(root, "etc/dbus-1/system.conf", "<busconfig><type>system</type></busconfig>\n")
    link(root, f"{units}/default.target", "basic.target")
    write(root, f"{units}/dbus.service", "[Service]\nExecStart=/usr/bin/dbus-daemon --system\n")
    write(root, f"{units}/chrony.service", CHRONY_SERVICE)


def _var(root: Path) -> None:
    link(root, "var/lock", "/run/lock")
    write(root, "var/cache/debconf/config.dat", "x")
    write(root, "var/cache/ldconfig/aux-cache", "x")
    write(root, "var/log/dpkg.log", "buildhost")
    write(root, "var/log/apt/history.log", "buildhost")
    write(root, "var/log/journal/0123/system.journal", "x")
    (root / "var/log/chrony").mkdir()
    write(root, "var/tmp/left-over", "x")
    write(root, "var/lib/apt/lists/mirror.example_InRelease", "x")
    write(root, "var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n")
    (root / "var/lib/chrony").mkdir()
    write(root, "var/lib/dpkg/status", "".join(map(_stanza, ("kmod", "chrony", "strace"))))


def _stanza(name: str) -> str:
    return f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0-1\nInstalled-Size: 10\n\n"
