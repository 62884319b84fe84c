"""Small made trees that are right in every way, for tests that then break one thing.

They are written from what a guest needs (the kernel, systemd, the agent), not by the product's own guest layer: the
suite has to be right about trees of strangers.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from pathlib import Path

from tests.support.agents import stand_in_agent, stand_in_policy_agent
from tests.support.programs import kernel_module, static_program, systemd_program

KERNEL = "6.1.0-made"
SYSTEM = "usr/lib/systemd/system"
REMOUNT = "systemd-remount-fs.service"
PACKAGES = ("chrony", "cryptsetup-bin", "dbus", "e2fsprogs", "init", "iptables", "kmod", "libseccomp2", "systemd")
IPTABLES = ("iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore")

AGENT_SERVICE = """[Unit]
Wants=kata-containers.target
[Service]
StandardOutput=tty
ExecStart=/usr/bin/kata-agent
ExecStop=/bin/sync
ExecStop=/usr/bin/systemctl --force poweroff
"""
AGENT_TARGET = """[Unit]
Requires=basic.target
Requires=tmp.mount
Requires=kata-agent.service
Wants=chronyd.service
AllowIsolate=yes
"""
TMP_MOUNT = "[Mount]\nWhat=tmpfs\nWhere=/tmp\nType=tmpfs\nOptions=mode=1777,strictatime,nosuid,nodev\n"
CHRONY_SERVICE = """[Unit]
ConditionPathExists=/dev/ptp0
[Service]
User=_chrony
ExecStart=!/usr/sbin/chronyd
ReadWritePaths=-/var/lib/chrony
[Install]
Alias=chronyd.service
"""
DBUS_SERVICE = "[Unit]\nRequires=dbus.socket\n[Service]\nExecStart=@/usr/bin/dbus-daemon @dbus-daemon --system\n"
DBUS_SOCKET = "[Socket]\nListenStream=/run/dbus/system_bus_socket\n"
BUS_CONFIGURATION = "<busconfig><type>system</type><user>messagebus</user></busconfig>\n"
PASSWD = """root:x:0:0:root:/root:/bin/sh
messagebus:x:101:102::/nonexistent:/usr/sbin/nologin
_chrony:x:100:101::/var/lib/chrony:/usr/sbin/nologin
"""
CHRONY_CONF = "refclock PHC /dev/ptp0 poll 3 dpoll -2 offset 0\nmakestep 1 -1\nsourcedir /etc/chrony/sources.d\n"
OSBUILDER_YAML = """---
osbuilder:
  url: "https://example.org/rootfs-kit"
  version: "unknown"
rootfs-creation-time: "2026-01-01T00:00:00.000000000+0000Z"
description: "osbuilder rootfs"
file-format-version: "0.0.2"
architecture: "{machine}"
base-distro:
  name: "Debian"
  version: "13"
  packages:
    default:
      - "chrony"
    extra:
agent:
  url: "https://example.org/kata-agent"
  name: "kata-agent"
  version: "unknown"
  agent-is-init-daemon: "{agent_init}"
"""


def write(root: Path, path: str, text: str = "", mode: int = 0o644) -> Path:
    """The file `path` of the tree `root`, with the directories above it."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def link(root: Path, path: str, target: str) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def program(root: Path, path: str, source: Path | None = None) -> None:
    """An executable at `path`; what it is does not matter unless `source` says so."""
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source or static_program(), place)
    place.chmod(0o755)


def systemd_guest(root: Path) -> Path:
    """A merged-usr Debian guest with systemd, D-Bus, chrony, an agent and kernel modules."""
    _base(root)
    program(root, "usr/lib/systemd/systemd", systemd_program())
    link(root, "usr/sbin/init", "../lib/systemd/systemd")
    program(root, "usr/bin/kata-agent", stand_in_agent())
    _units(root)
    _chrony(root)
    _modules(root)
    write(root, "var/lib/osbuilder/osbuilder.yaml", _summary("no"))
    return root


def agent_init_guest(root: Path) -> Path:
    """The same base with the agent as init, and its own name as a relative link to it."""
    _base(root)
    program(root, "usr/sbin/init", stand_in_agent())
    link(root, "usr/bin/kata-agent", "../sbin/init")
    _chrony(root)
    _modules(root)
    write(root, "var/lib/osbuilder/osbuilder.yaml", _summary("yes"))
    return root


def policy_guest(root: Path) -> Path:
    """A systemd guest whose agent was built with the policy feature, and its policy."""
    systemd_guest(root)
    program(root, "usr/bin/kata-agent", stand_in_policy_agent())
    write(root, "etc/kata-opa/allow-all.rego", "package agent_policy\n\ndefault CreateContainerRequest := true\n")
    link(root, "etc/kata-opa/default-policy.rego", "allow-all.rego")
    return root


def confidential_guest(root: Path) -> Path:
    """A systemd guest with the guest components, the pause bundle and what encrypted storage needs."""
    systemd_guest(root)
    for name in ("attestation-agent", "confidential-data-hub", "api-server-rest"):
        program(root, f"usr/local/bin/{name}")
    write(root, "etc/ocicrypt_config.json", "{}")
    write(root, "pause_bundle/config.json", '{"process": {"args": ["/pause"]}}')
    program(root, "pause_bundle/rootfs/pause")
    write(root, "etc/fstab", "tmpfs /run tmpfs nodev,nosuid,size=50% 0 0\n")
    link(root, f"{SYSTEM}/kata-containers.target.requires/{REMOUNT}", f"../{REMOUNT}")
    _add_packages(root, "ca-certificates")
    return root


def selinux_guest(root: Path) -> Path:
    """A systemd guest with an SELinux policy: the files that are looked for, with nothing in them."""
    systemd_guest(root)
    write(root, "etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=default\n")
    write(root, "etc/selinux/default/policy/policy.33", "policy")
    write(root, "etc/selinux/default/contexts/files/file_contexts", "/ system_u:object_r:root_t:s0\n")
    _add_packages(root, "policycoreutils", "selinux-policy-default")
    return root


def systemd_overlay(root: Path) -> Path:
    """Only Kata's files, to be laid over a merged-usr guest that has systemd."""
    root.mkdir(parents=True)
    program(root, "usr/bin/kata-agent", stand_in_agent())
    write(root, "usr/lib/systemd/system/kata-agent.service", AGENT_SERVICE)
    write(root, "usr/lib/systemd/system/kata-containers.target", AGENT_TARGET)
    write(root, "etc/resolv.conf")
    write(root, "var/lib/osbuilder/osbuilder.yaml", _summary("no"))
    return root


def agent_init_overlay(root: Path) -> Path:
    """Only Kata's files, with the agent as init."""
    root.mkdir(parents=True)
    program(root, "usr/sbin/init", stand_in_agent())
    link(root, "sbin", "usr/sbin")
    link(root, "usr/bin/kata-agent", "../sbin/init")
    write(root, "etc/resolv.conf")
    write(root, "var/lib/osbuilder/osbuilder.yaml", _summary("yes"))
    return root


def initrd(root: Path) -> Path:
    """An agent-init guest as the kernel unpacks it from a cpio: with /init and the first device nodes. Needs root."""
    agent_init_guest(root)
    link(root, "init", "usr/sbin/init")
    _first_devices(root)
    return root


def systemd_initrd(root: Path) -> Path:
    """The same of a systemd guest. Needs root."""
    systemd_guest(root)
    link(root, "init", "usr/lib/systemd/systemd")
    _first_devices(root)
    return root


def _first_devices(root: Path) -> None:
    for name, mode, device in (("console", 0o600, (5, 1)), ("null", 0o666, (1, 3))):
        os.mknod(root / "dev" / name, stat.S_IFCHR | mode, os.makedev(*device))


def copy(source: Path, target: Path) -> Path:
    """A copy of a whole tree: links, owners, times and device nodes as they are (shutil would open the nodes)."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True, stdin=subprocess.DEVNULL)
    return target


def fingerprint(root: Path) -> str:
    """A digest of every path, kind, mode, link and content below `root`: equal means untouched."""
    digest = hashlib.sha256()
    for directory, names, files in os.walk(os.fsencode(root)):
        names.sort()
        for name in sorted([*files, *names]):
            place = os.path.join(directory, name)
            status = os.lstat(place)
            digest.update(place + f" {status.st_mode:o} {status.st_uid}:{status.st_gid} ".encode())
            if os.path.islink(place):
                digest.update(os.readlink(place))
            elif os.path.isfile(place):
                digest.update(Path(os.fsdecode(place)).read_bytes())
    return digest.hexdigest()


def _base(root: Path) -> None:
    for directory in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "dev", "proc", "sys", "run", "etc", "var", "tmp"):
        (root / directory).mkdir(parents=True)
    root.chmod(0o755)
    (root / "tmp").chmod(0o1777)
    for name in ("bin", "sbin", "lib", "lib64"):
        link(root, name, f"usr/{name}")
    link(root, "var/run", "/run")
    link(root, "var/tmp", "../tmp")
    write(root, "usr/lib/os-release", 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian 13"\n')
    link(root, "etc/os-release", "../usr/lib/os-release")
    write(root, "etc/passwd", PASSWD)
    write(root, "etc/group", "root:x:0:\nmessagebus:x:102:\n_chrony:x:101:\n")
    write(root, "etc/resolv.conf")
    write(root, "etc/machine-id")
    write(root, "etc/mke2fs.conf", "[defaults]\n")
    write(root, "etc/ssl/certs/ca-certificates.crt", "-----BEGIN CERTIFICATE-----\n")
    for name in ("bin/sh", "bin/bash", "bin/sync", "bin/dd", "sbin/mkfs.ext4", "sbin/cryptsetup", "sbin/modprobe"):
        program(root, f"usr/{name}")
    for name in IPTABLES:
        program(root, f"usr/sbin/{name}")
    write(root, "var/lib/dpkg/status", "\n".join(map(_stanza, PACKAGES)))


def _add_packages(root: Path, *names: str) -> None:
    with (root / "var/lib/dpkg/status").open("a") as status:
        status.writelines(f"\n{_stanza(name)}" for name in names)


def _stanza(name: str) -> str:
    return f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0-1\nInstalled-Size: 10\n"


def _units(root: Path) -> None:
    system = SYSTEM
    for name in ("basic.target", "sysinit.target", "sockets.target", REMOUNT):
        write(root, f"{system}/{name}", "[Unit]\n")
    write(root, f"{system}/basic.target", "[Unit]\nRequires=sysinit.target\n")
    write(root, f"{system}/dbus.service", DBUS_SERVICE)
    write(root, f"{system}/dbus.socket", DBUS_SOCKET)
    write(root, f"{system}/kata-agent.service", AGENT_SERVICE)
    write(root, f"{system}/kata-containers.target", AGENT_TARGET)
    write(root, f"{system}/tmp.mount", TMP_MOUNT)
    etc = "etc/systemd/system"
    link(root, f"{etc}/basic.target.wants/kata-containers.target", f"/{system}/kata-containers.target")
    link(root, f"{etc}/kata-containers.target.wants/dbus.socket", f"/{system}/dbus.socket")
    write(root, "usr/share/dbus-1/system.conf", BUS_CONFIGURATION)
    link(root, f"{system}/default.target", "basic.target")
    for name in ("dbus-daemon", "systemctl"):
        program(root, f"usr/bin/{name}")
    write(root, f"{system}/chrony.service", CHRONY_SERVICE)
    link(root, f"{etc}/chronyd.service", f"/{system}/chrony.service")


def _chrony(root: Path) -> None:
    program(root, "usr/sbin/chronyd")
    write(root, "etc/chrony/chrony.conf", CHRONY_CONF)
    (root / "etc/chrony/sources.d").mkdir()


def _modules(root: Path) -> None:
    directory = root / "usr/lib/modules" / KERNEL
    (directory / "kernel").mkdir(parents=True)
    for name, depends in (("made_base", ""), ("made_user", "made_base")):
        shutil.copyfile(kernel_module(name, KERNEL, depends), directory / "kernel" / f"{name}.ko")
    (directory / "modules.order").write_text("kernel/made_base.ko\nkernel/made_user.ko\n")
    (directory / "modules.builtin").write_text("kernel/made_builtin.ko\n")
    (directory / "modules.builtin.modinfo").write_bytes(b"made_builtin.license=GPL\0")
    subprocess.run(["depmod", "-b", str(root), KERNEL], check=True, stdin=subprocess.DEVNULL)


def _summary(agent_init: str) -> str:
    return OSBUILDER_YAML.format(machine=os.uname().machine, agent_init=agent_init)
