"""Mirrors of rpm distributions in miniature: packages by the real rpmbuild, indexes by createrepo_c, all signed.

A mirror has the paths of the real one, and under the names that the shipped `distro.toml` asks for a small guest:
links of a merged /usr, a shell that really runs scriptlets, and the small programs of `tests.support.trees`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rootfs_kit.distro import Distro
from rootfs_kit.request import BuildRequest
from tests.support import trees

NEEDED_TOOLS = ("rpmbuild", "rpmsign", "createrepo_c", "gpg", "cc", "depmod", "bash-static")
SYSTEM = "usr/lib/systemd/system"
NOT_IN_PACKAGES = (
    "etc/chrony", "etc/systemd", "etc/resolv.conf", "etc/machine-id", "etc/passwd", "etc/group", "usr/bin/kata-agent",
    f"{SYSTEM}/kata-agent.service", f"{SYSTEM}/kata-containers.target", f"{SYSTEM}/chrony.service",
    f"{SYSTEM}/dbus.service", "usr/bin/dbus-daemon", f"usr/lib/modules/{trees.KERNEL}", "usr/lib/os-release",
    "var/lib", "var/run", "var/tmp",
)  # fmt: skip
CHRONY_SERVICE = """[Unit]
ConditionCapability=CAP_SYS_TIME
[Service]
User=chrony
ExecStart=!/usr/sbin/chronyd $OPTIONS
ReadWritePaths=/run /var/lib/chrony
[Install]
WantedBy=multi-user.target
"""
CHRONY_CONF = "pool pool.ntp.example iburst\nsourcedir /run/chrony-dhcp\nmakestep 1.0 3\ninclude /etc/chrony.d/*.conf\n"
BROKER_SERVICE = "[Unit]\nRequires=dbus.socket\n[Service]\nType=notify\nExecStart=/usr/bin/dbus-broker-launch\n"
DAEMON_SERVICE = "[Unit]\nRequires=dbus.socket\n[Service]\nExecStart=/usr/bin/dbus-daemon --system\n"
JOURNAL = ("systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket")
PREAMBLE = """\
Name: {name}
Version: {version}
Release: 1
Summary: made by the tests
License: none
%description
Made by the tests.
%install
mkdir -p %{{buildroot}}
cp -a {tree}/. %{{buildroot}}/
"""
ADD_USER = 'echo "chrony:x:990:990::/var/lib/chrony:/sbin/nologin" >> /etc/passwd\n'
BUILD_OPTIONS = {
    "_build_id_links": "none", "debug_package": "%{nil}", "__os_install_post": "%{nil}", "_binary_payload": "w0.gzdio",
    "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm", "_buildhost": "tests.example",
}  # fmt: skip


@dataclass(frozen=True)
class Key:
    """A key that signs for the tests; `home` is gpg's."""

    home: Path
    public: Path
    fingerprint: str

    def sign_packages(self, packages: Sequence[Path]) -> None:
        macros = {"_gpg_name": self.fingerprint, "_gpg_path": self.home, "__gpg": shutil.which("gpg")}
        run("rpmsign", *_defined(macros), "--addsign", *map(str, packages))

    def sign_index(self, repository: Path) -> None:
        """A signature beside the index, and the key, as a mirror offers it."""
        index = repository / "repodata/repomd.xml"
        index.with_name("repomd.xml.asc").unlink(missing_ok=True)
        self.gpg("--armor", "--detach-sign", str(index))
        shutil.copyfile(self.public, index.with_name("repomd.xml.key"))

    def gpg(self, *arguments: str) -> str:
        return run("gpg", "--homedir", str(self.home), "--batch", "--yes", "--pinentry-mode", "loopback", *arguments)


@dataclass(frozen=True)
class Flavour:
    """What sets the guests of one release apart: its os-release, its message bus, and whether /usr/sbin is /usr/bin."""

    distro: str
    version: str
    os_release: Mapping[str, str]
    bus: str = "dbus-broker"
    merged_sbin: bool = False
    has_init: bool = True

    @property
    def release_package(self) -> str:
        if self.distro == "opensuse":
            return "Leap-release" if self.version == "16.0" else "openSUSE-release"
        return "centos-stream-release" if self.distro == "centos" else f"{self.distro}-release"


def _leap(version: str) -> Flavour:
    return Flavour("opensuse", version, {"ID": "opensuse-leap", "VERSION_ID": version}, "dbus-1", has_init=False)


FLAVOURS = (
    Flavour("fedora", "44", {"ID": "fedora", "VERSION_ID": "44"}, merged_sbin=True),
    Flavour("centos", "10", {"ID": "centos", "VERSION_ID": "10"}),
    Flavour("centos", "9", {"ID": "centos", "VERSION_ID": "9"}),
    Flavour("azurelinux", "3.0", {"ID": "azurelinux", "VERSION_ID": "3.0"}, "dbus"),
    _leap("16.0"),
    _leap("15.6"),
    Flavour("opensuse", "tumbleweed", {"ID": "opensuse-tumbleweed", "VERSION_ID": "20261123"}, "dbus-1"),
)


def make_key(home: Path, name: str) -> Key:
    home.mkdir(parents=True, mode=0o700)
    key = Key(home, home / "public.asc", "")
    # rpm before 4.20 knows no keys of elliptic curves with every backend.
    key.gpg("--passphrase", "", "--quick-gen-key", name, "rsa2048", "sign", "never")
    key.gpg("--armor", "--output", str(key.public), "--export")
    listed = key.gpg("--with-colons", "--list-keys")
    fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
    return Key(home, key.public, fingerprint)


def make_mirror(
    mirror: Path, distro: Distro, flavour: Flavour, key: Key, workshop: Path, machine: str = os.uname().machine
) -> list[Path]:
    """Fill `mirror` with the repositories of one release, and say which they are; the first has all packages.

    Whatever `machine` the packages are labelled with, the programs in them are this host's.
    """
    request = BuildRequest(workshop / "out", arch=machine, os_version=flavour.version, seccomp=True)
    repositories = [mirror / path.strip("/") for _, path in distro.repositories_for(request, "")]
    packages = build_packages(flavour, distro.packages_for(request), workshop, machine)
    key.sign_packages(packages)
    for repository in repositories:
        repository.mkdir(parents=True)
    for package in packages:
        shutil.move(package, repositories[0] / package.name)
    for repository in repositories:
        index(repository, key if distro.signed_indexes else None)
    return repositories


def index(repository: Path, key: Key | None) -> None:
    """Write the index of the packages that are there; signed, if there is a key for it."""
    run("createrepo_c", "--quiet", "--no-database", str(repository))
    if key is not None:
        key.sign_index(repository)


def build_packages(flavour: Flavour, names: Sequence[str], workshop: Path, machine: str) -> list[Path]:
    """A package for each of `names`, with what belongs to it of one small guest."""
    tree = _guest(workshop / "tree", flavour)
    files = _by_package(flavour)
    specification = [PREAMBLE.format(name="filesystem", version="1.0", tree=tree)]
    taken: set[str] = set()
    for name in dict.fromkeys((*names, "bash", "bash-completion")):
        if name != "filesystem":
            mine = [path for path in files.get(name, ()) if (tree / path).is_symlink() or (tree / path).exists()]
            specification.append(_section(name, mine))
            taken.update(mine)
    rest = [_listed(tree, path) for path in _paths(tree) if path not in taken]
    specification.append("%files\n%defattr(-,root,root)\n" + "\n".join(rest) + "\n")
    written = workshop / "guest.spec"
    written.write_text("".join(specification))
    return rpmbuild(written, workshop, machine)


def rpmbuild(specification: Path, workshop: Path, machine: str) -> list[Path]:
    """The packages that a specification makes, labelled for `machine`."""
    places = {"_topdir": workshop / "build", "_rpmdir": workshop / "rpms"}
    run(
        "rpmbuild",
        "-bb",
        "--quiet",
        f"--target={machine}-linux",
        *_defined({**BUILD_OPTIONS, **places}),
        str(specification),
    )
    return sorted((workshop / "rpms").glob("*.rpm"))


def describe_distros(directory: Path, key: Key, *names: str) -> Path:
    """Copies of the shipped descriptions for --distros-dir: as they are, but for the keys, which are the test's."""
    for name in names:
        shutil.copytree(Path(__file__).parents[2] / "distros" / name, directory / name)
        for file in (directory / name / "keys").glob("*KEY*"):
            shutil.copyfile(key.public, file)
        text = (directory / name / "distro.toml").read_text()
        text, count = re.subn('fingerprint = "[^"]+"', f'fingerprint = "{key.fingerprint}"', text)
        assert count
        (directory / name / "distro.toml").write_text(text)
    return directory


def _guest(tree: Path, flavour: Flavour) -> Path:
    """The files of all packages together."""
    trees.systemd_guest(tree)
    for path in NOT_IN_PACKAGES:
        _remove(tree / path)
    trees.write(
        tree, "usr/lib/os-release", "".join(f'{name}="{value}"\n' for name, value in flavour.os_release.items())
    )
    trees.write(tree, "etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
    trees.write(tree, "etc/group", "root:x:0:\n")
    trees.program(tree, "usr/bin/bash", Path(shutil.which("bash-static") or ""))
    _remove(tree / "usr/bin/sh")
    trees.link(tree, "usr/bin/sh", "bash")
    trees.write(tree, "etc/yum.repos.d/own.repo", "[own]\nname=the guest's own\nbaseurl=https://mirror.example\n")
    trees.write(tree, "usr/share/doc/chrony/README", "Nobody reads this in a guest.\n")
    trees.write(tree, "etc/chrony.conf", CHRONY_CONF)
    trees.write(tree, "etc/chrony.d/pool.conf", "pool second.ntp.example iburst\n")
    trees.write(tree, f"{SYSTEM}/chronyd.service", CHRONY_SERVICE)
    _bus(tree, flavour)
    if not flavour.has_init:
        (tree / "usr/sbin/init").unlink()
    if flavour.merged_sbin:
        for program in sorted((tree / "usr/sbin").iterdir()):
            shutil.move(program, tree / "usr/bin" / program.name)
        (tree / "usr/sbin").rmdir()
        trees.link(tree, "usr/sbin", "bin")
    return tree


def _bus(tree: Path, flavour: Flavour) -> None:
    """Its user is only declared, as Fedora's packages do it."""
    trees.write(tree, "usr/lib/sysusers.d/dbus.conf", 'u messagebus - "System Message Bus"\n')
    if flavour.bus != "dbus-broker":
        trees.write(tree, f"{SYSTEM}/dbus.service", DAEMON_SERVICE)
        trees.program(tree, "usr/bin/dbus-daemon")
        return
    trees.write(tree, f"{SYSTEM}/dbus-broker.service", BROKER_SERVICE)
    trees.link(tree, f"{SYSTEM}/dbus.service", "dbus-broker.service")
    for program in ("dbus-broker", "dbus-broker-launch"):
        trees.program(tree, f"usr/bin/{program}")
    for unit in JOURNAL:
        trees.write(tree, f"{SYSTEM}/{unit}", "[Unit]\n")


def _by_package(flavour: Flavour) -> dict[str, list[str]]:
    """Which package a file belongs to; those of no package are in `filesystem`."""
    sbin = "usr/bin" if flavour.merged_sbin else "usr/sbin"
    bus = ("dbus-broker.service", "dbus.service", "dbus.socket")
    units = ("basic.target", "sysinit.target", "sockets.target", "systemd-remount-fs.service", "tmp.mount", *JOURNAL)
    iptables = [f"{sbin}/{name}" for name in trees.IPTABLES]
    return {
        "bash": ["usr/bin/bash", "usr/bin/sh"],
        "bash-completion": [],
        "chrony": [f"{sbin}/chronyd", "etc/chrony.conf", "etc/chrony.d/pool.conf", f"{SYSTEM}/chronyd.service",
                   "usr/share/doc/chrony/README"],
        "coreutils": ["usr/bin/sync", "usr/bin/dd"],
        "cryptsetup": [f"{sbin}/cryptsetup"],
        "e2fsprogs": [f"{sbin}/mkfs.ext4", "etc/mke2fs.conf"],
        "iptables": iptables,
        "iptables-nft": iptables,
        "kmod": [f"{sbin}/modprobe"],
        "systemd": ["usr/lib/systemd/systemd", f"{sbin}/init", "usr/bin/systemctl",
                    *(f"{SYSTEM}/{unit}" for unit in units)],
        flavour.bus: [*(f"{SYSTEM}/{unit}" for unit in bus), "usr/bin/dbus-daemon", "usr/bin/dbus-broker",
                      "usr/bin/dbus-broker-launch", "usr/share/dbus-1/system.conf", "usr/lib/sysusers.d/dbus.conf"],
        flavour.release_package: ["usr/lib/os-release", "etc/os-release", "etc/yum.repos.d/own.repo"],
    }  # fmt: skip


def _section(name: str, files: Sequence[str]) -> str:
    """What the specification says of one package; chrony's scriptlet runs in the tree."""
    needs = "Requires(pre): bash\nRecommends: bash-completion\n" if name == "chrony" else "Requires(pre): filesystem\n"
    provides = "Provides: /bin/sh\n" if name == "bash" else ""
    script = f"%pre -n {name}\n{ADD_USER}" if name == "chrony" else ""
    listed = "\n".join(f"%doc /{path}" if path.startswith("usr/share/doc") else f"/{path}" for path in files)
    return (
        f"%package -n {name}\nSummary: made by the tests\n{needs}{provides}%description -n {name}\nMade by the tests.\n"
        f"{script}%files -n {name}\n%defattr(-,root,root)\n{listed}\n"
    )


def _paths(tree: Path) -> list[str]:
    """Every directory, link and file of a tree; of a link to a directory the link alone."""
    return sorted(
        str(Path(directory, name).relative_to(tree))
        for directory, names, files in os.walk(tree)
        for name in (*names, *files)
    )


def _listed(tree: Path, path: str) -> str:
    directory = (tree / path).is_dir() and not (tree / path).is_symlink()
    return f"%dir /{path}" if directory else f"/{path}"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _defined(macros: Mapping[str, object]) -> list[str]:
    return [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]


def run(*command: str) -> str:
    """What the program prints; it must end well."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout
