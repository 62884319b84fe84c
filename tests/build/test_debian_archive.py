"""Guests from Debian's real archive: what the guest layer promises, read off the trees, and asked of their programs."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from rootfs_kit.tree import RootfsTree, open_rootfs
from tests.build.builds import manifest
from tests.support.agents import stand_in_agent
from tests.support.boot import cloud_modules
from tests.support.real_guests import debian_guest
from tests.support.requirements import needs_debian_archive, needs_program
from tests.support.verdicts import caught, judged

pytestmark = [pytest.mark.slow, pytest.mark.network, needs_debian_archive(), needs_program("cc", "depmod", "modprobe")]

RELEASES = {"trixie": "13", "bookworm": "12"}
AGENT = "/usr/bin/kata-agent"
INTERNET_SOURCES = ("server", "pool", "peer", "initstepslew")
YAML = re.compile(
    r"""---
osbuilder:
  url: "[^"]+"
  version: "unknown"
rootfs-creation-time: "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\+0000Z"
description: "osbuilder rootfs"
file-format-version: "0\.0\.2"
architecture: "(?P<architecture>[^"]+)"
base-distro:
  name: "debian"
  version: "(?P<version>\d+)"
  packages:
    default:
(?P<packages>(?:      - "[^"]+"\n)+)    extra:

agent:
  url: "https://github.com/kata-containers/kata-containers"
  name: "kata-agent"
  version: "unknown"
  agent-is-init-daemon: "(?P<agent_init>yes|no)"
"""
)


@dataclass(frozen=True)
class Guest:
    release: str
    agent_init: bool
    path: Path

    @property
    def tree(self) -> RootfsTree:
        return open_rootfs(self.path)

    def asked(self, *command: str) -> str:
        """What a program of the guest says when it runs on this host, in a copy that it may write to."""
        with TemporaryDirectory(dir=self.path.parent) as place:
            subprocess.run(["cp", "-al", str(self.path), f"{place}/copy"], check=True)
            done = subprocess.run(
                ["chroot", f"{place}/copy", *command], capture_output=True, text=True, check=False, stdin=-3
            )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr


@pytest.fixture(params=[(release, init) for release in RELEASES for init in (False, True)],
                ids=lambda param: f"{param[0]}-{'agent-init' if param[1] else 'systemd'}")  # fmt: skip
def guest(request: pytest.FixtureRequest) -> Guest:
    release, agent_init = request.param
    return Guest(release, agent_init, debian_guest(release, agent_init, modules=True))


@pytest.fixture(params=RELEASES)
def systemd_guest(request: pytest.FixtureRequest) -> Guest:
    return Guest(request.param, False, debian_guest(request.param, modules=True))


@pytest.fixture(params=RELEASES)
def agent_guest(request: pytest.FixtureRequest) -> Guest:
    return Guest(request.param, True, debian_guest(request.param, True, modules=True))


def test_the_suite_finds_nothing(guest: Guest) -> None:
    verdict = judged(guest.path, "agent-init" if guest.agent_init else "systemd", ("modules",))
    assert caught(verdict) == {}
    assert verdict.conforms


def test_the_agent_is_reached_by_both_its_paths(guest: Guest) -> None:
    for path in (AGENT, "/bin/kata-agent"):
        assert guest.tree.file(path).read_bytes() == stand_in_agent().read_bytes()
    program = guest.tree.file("/sbin/init" if guest.agent_init else AGENT)
    assert (program.mode, program.uid, program.gid) == (0o755, 0, 0)


def test_the_agent_itself_is_init(agent_guest: Guest) -> None:
    init = agent_guest.path / "usr/sbin/init"
    assert init.is_file()
    assert not init.is_symlink()
    link = os.readlink(agent_guest.path / "usr/bin/kata-agent")
    assert not link.startswith("/")
    assert os.path.samefile(agent_guest.path / "usr/bin" / link, init)
    assert not (agent_guest.path / "usr/lib/systemd/systemd").exists()
    assert "systemd" not in agent_guest.tree.packages


def test_systemd_itself_finds_nothing_wrong_with_the_agents_units(systemd_guest: Guest) -> None:
    units = ("kata-containers.target", "kata-agent.service", "tmp.mount", "dbus.socket", "chronyd.service")
    assert systemd_guest.asked("systemd-analyze", "--man=no", "verify", *units, "default.target") == ""


def test_the_agent_is_started_on_the_way_up(systemd_guest: Guest) -> None:
    tree = systemd_guest.tree
    target, service = tree.unit("kata-containers.target"), tree.unit("kata-agent.service")
    assert target is not None
    assert service is not None
    assert {"basic.target", "tmp.mount", "kata-agent.service"} <= set(target.requires)
    assert [line.program for line in service.exec_lines("ExecStart")] == [AGENT]
    for link, unit in (
        ("basic.target.wants", "kata-containers.target"),
        ("kata-containers.target.wants", "dbus.socket"),
    ):
        wanted = tree.file(f"/etc/systemd/system/{link}/{unit}")
        assert wanted.is_symlink
        assert wanted.is_file


def test_no_timer_of_the_package_manager_is_enabled(systemd_guest: Guest) -> None:
    enabled = systemd_guest.tree.listdir("/etc/systemd/system/timers.target.wants")
    assert not [name for name in enabled if name.startswith(("apt-", "dpkg-"))]
    assert systemd_guest.tree.exists("/usr/lib/systemd/system/apt-daily.timer")


def test_tmp_is_memory(systemd_guest: Guest) -> None:
    unit = systemd_guest.tree.unit("tmp.mount")
    assert unit is not None
    assert (unit.get("Mount", "What"), unit.get("Mount", "Where")) == (["tmpfs"], ["/tmp"])
    # Bookworm has it among systemd's examples only; trixie's own is left alone.
    assert unit.path.startswith("/etc/" if systemd_guest.release == "bookworm" else "/usr/lib/")


def test_chronyd_reads_the_hosts_clock_and_asks_nobody_else(guest: Guest) -> None:
    said = guest.asked("chronyd", "-p").splitlines()
    directives = [line.split()[0].lower() for line in said if line.strip()]
    assert [line for line in said if line.startswith("refclock")] == ["refclock PHC /dev/ptp0 poll 3 dpoll -2 offset 0"]
    assert [line for line in said if line.startswith("makestep")] == ["makestep 1 -1"]
    assert not set(directives) & set(INTERNET_SOURCES)
    for place in ("etc/chrony/sources.d", "run/chrony-dhcp"):
        assert list((guest.path / place).glob("*.sources")) == []


def test_nothing_of_this_host_is_left(guest: Guest) -> None:
    etc = guest.path / "etc"
    resolver = etc / "resolv.conf"
    assert (resolver.is_symlink(), resolver.is_file(), resolver.read_bytes()) == (False, True, b"")
    assert not (etc / "hostname").exists()
    assert set(re.findall(r"\S+", (etc / "hosts").read_text())) <= {
        "127.0.0.1", "localhost", "::1", "ip6-localhost", "ip6-loopback"
    }  # fmt: skip


def test_no_identity_is_left(guest: Guest) -> None:
    machine_id = guest.path / "etc/machine-id"
    assert machine_id.read_bytes() == b"" if not guest.agent_init else not machine_id.exists()
    for path in ("var/lib/dbus/machine-id", "var/lib/systemd/random-seed", "etc/hostid"):
        assert not (guest.path / path).exists()


def test_no_cache_and_no_log_is_left(guest: Guest) -> None:
    assert os.listdir(guest.path / "var/cache") == []
    assert [path for path in (guest.path / "var/log").rglob("*") if not path.is_dir()] == []
    assert os.listdir(guest.path / "tmp") == []
    assert [path for path in (guest.path / "run").rglob("*") if not path.is_dir()] == []
    for path in ("var/lib/apt", "var/lib/dpkg"):
        assert not (guest.path / path).exists()


def test_modules_are_those_that_were_given(guest: Guest) -> None:
    given, version = cloud_modules(), cloud_modules().name
    modules = guest.tree.modules(version)
    assert set(modules.files) == {str(path.relative_to(given)) for path in given.rglob("*.ko*")}
    assert modules.problems() == ()
    assert guest.tree.file("/sbin/modprobe").is_executable


@pytest.mark.parametrize("release", ["trixie"])
def test_modprobe_finds_each_module_and_what_it_needs(release: str, tmp_path: Path) -> None:
    path = debian_guest(release, modules=True)
    modules = open_rootfs(path).modules(cloud_modules().name)
    assert len(modules.names) > 500
    differing = {}
    for name in sorted(modules.names):
        needed = {module.path for module in modules.dependencies(name)} | {modules.files[_relative(modules, name)]}
        said = _modprobe(path, modules.version, name, tmp_path)
        if not needed <= said or not all((path / one.lstrip("/")).is_file() for one in said):
            differing[name] = (needed, said)
    assert differing == {}


def _relative(modules, name: str) -> str:
    found = modules.find(name)
    assert found is not None
    return next(relative for relative, path in modules.files.items() if path == found.path)


def _modprobe(root: Path, version: str, name: str, settings: Path) -> set[str]:
    """The guest paths that the host's modprobe would insert; with no settings of the host's."""
    command = ["modprobe", "-C", str(settings), "-d", str(root), "-S", version, "--show-depends", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("insmod ")]
    return {f"/{Path(file).resolve().relative_to(root.resolve())}" for file in files}


def test_the_packages_can_still_be_told(guest: Guest) -> None:
    packages = guest.tree.packages
    assert packages.method == "manifest"
    assert {"chrony", "iptables", "kmod", "libc6"} <= set(packages)
    assert ("dbus" in packages) is not guest.agent_init
    written = manifest(guest.path)
    assert (written["distro"]["release"], written["init"]) == (
        guest.release,
        "agent" if guest.agent_init else "systemd",
    )


def test_katas_tools_find_the_summary_that_they_expect(guest: Guest) -> None:
    found = YAML.fullmatch((guest.path / "var/lib/osbuilder/osbuilder.yaml").read_text())
    assert found is not None
    assert found["version"] == RELEASES[guest.release]
    assert found["architecture"] == os.uname().machine
    assert found["agent_init"] == ("yes" if guest.agent_init else "no")
    names = re.findall(r'"([^"]+)"', found["packages"])
    assert names == sorted(names)
    assert ("systemd" in names) is not guest.agent_init
