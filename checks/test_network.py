"""Network: what the guest believes about names and resolvers before the runtime tells it."""

from __future__ import annotations

import ipaddress
import re

import pytest

from rootfs_kit.suite.check import ERROR, FULL, WARN, Finding, Severity, check, report, require
from rootfs_kit.tree import RootfsTree

RESOLV_CONF = "/etc/resolv.conf"
HOSTNAME = "/etc/hostname"
HOSTS = "/etc/hosts"
# Where a proxy is set for a whole machine: environ(7), apt.conf(5), dnf.conf(5), wgetrc, curlrc, pip's configuration.
PROXY_FILES = (
    "/etc/apt/apt.conf", "/etc/curlrc", "/etc/dnf/dnf.conf", "/etc/environment", "/etc/pip.conf", "/etc/profile",
    "/etc/wgetrc", "/etc/yum.conf", "/root/.bashrc", "/root/.curlrc", "/root/.profile", "/root/.wgetrc",
)  # fmt: skip
PROXY_DIRECTORIES = ("/etc/apt/apt.conf.d", "/etc/environment.d", "/etc/profile.d", "/etc/systemd/system.conf.d")
PROXY = re.compile(
    r"^[ \t]*(?!#|//)[^#\n]*?\b(?:https?_proxy|proxy|Acquire::https?::Proxy)\b[\s=\"']*\w+://", re.I | re.M
)
NEUTRAL_HOSTNAMES = {"localhost", "localhost.localdomain", "kata", "kata-guest", "(none)", "alpine"}
NEUTRAL_HOSTS = {
    "localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4", "localhost6",
    "localhost6.localdomain6", "ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix",
    "ip6-allnodes", "ip6-allrouters", "ip6-allhosts", "ipv6-localhost", "ipv6-loopback", "ipv6-localnet",
    "ipv6-mcastprefix", "ipv6-allnodes", "ipv6-allrouters", "ipv6-allhosts", "broadcasthost",
}  # fmt: skip


@check("NET-01", severity=ERROR, source="src/agent/src/network.rs:12-80; rootfs.sh:897-906")
def test_resolv_conf_is_a_regular_file(rootfs: RootfsTree) -> None:
    """Guards against a /etc/resolv.conf that the agent cannot mount the sandbox's own resolver over.

    A link (systemd-resolved's) or nothing means that the agent skips DNS without a word. Make it an empty file.
    """
    entry = rootfs.lstat(RESOLV_CONF)
    require(
        entry is not None and entry.is_file,
        RESOLV_CONF,
        found=rootfs.file(RESOLV_CONF).describe(),
        expected="an empty regular file",
        at_boot="the guest boots; names do not resolve, as the agent has nothing to mount the resolver over",
        mend=f"replace {RESOLV_CONF} by an empty regular file",
    )


@check("NET-01", severity=WARN, source="ubuntu/rootfs_lib.sh copies the build host's resolver")
def test_resolv_conf_holds_no_build_host_resolver(rootfs: RootfsTree) -> None:
    """Guards against the build host's name servers in every guest. Empty the file."""
    entry = rootfs.lstat(RESOLV_CONF)
    if entry is None or not entry.is_file:
        pytest.skip("there is no such file: test_resolv_conf_is_a_regular_file reports that")
    lines = rootfs.read_bytes(RESOLV_CONF, limit=65536).decode("utf-8", "replace").splitlines()
    settings = [line.split()[0] for line in lines if line.strip() and line.lstrip()[0] not in "#;"]
    require(
        not settings,
        RESOLV_CONF,
        found="settings of somebody's resolver: " + ", ".join(sorted(set(settings))),
        expected="an empty file",
        at_boot="names are asked of servers that the guest cannot reach, until the runtime sets its own",
        mend=f"empty {RESOLV_CONF}",
    )


@check("NET-02", severity=WARN, content=FULL, source="src/agent/src/main.rs:801-806; hostname(5)")
def test_hostname_is_nobodys(rootfs: RootfsTree) -> None:
    """Guards against the build host's name in every guest: the agent, as init, even sets it.

    Remove /etc/hostname, or write localhost.
    """
    if not rootfs.exists(HOSTNAME):
        return
    lines = rootfs.read_bytes(HOSTNAME, limit=4096).decode("utf-8", "replace").splitlines()
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    require(
        set(names) <= NEUTRAL_HOSTNAMES,
        HOSTNAME,
        found=f"the name {names[0]!r}" if names else "nothing",
        expected="no such file, or localhost",
        at_boot="the guest calls itself by the name of the machine that built it",
        mend=f"remove {HOSTNAME}, or write localhost in it",
    )


@check("NET-02", severity=WARN, content=FULL, source="hosts(5)")
def test_hosts_names_only_the_guest_itself(rootfs: RootfsTree) -> None:
    """Guards against names of the build host or its network in /etc/hosts."""
    if not rootfs.exists(HOSTS):
        return
    lines = rootfs.read_bytes(HOSTS, limit=1 << 20).decode("utf-8", "replace").splitlines()
    foreign = [line for line in (line.split("#")[0].split() for line in lines) if line and not _is_neutral(line)]
    report(
        Finding(
            HOSTS,
            found=" ".join(line),
            expected="addresses of the guest itself, under the name localhost",
            at_boot="names resolve to the build host's addresses",
            mend=f"remove that line from {HOSTS}",
            severity=Severity.WARN,
        )
        for line in foreign
    )


def _is_neutral(line: list[str]) -> bool:
    address, *names = line
    try:
        local = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return (local.is_loopback or local.is_multicast or local.is_reserved) and set(names) <= NEUTRAL_HOSTS


@check("NET-04", severity=WARN, content=FULL, source="kata-containers#5077, #6834 (builds behind a proxy)")
def test_no_proxy_of_the_build_is_set(rootfs: RootfsTree) -> None:
    """Guards against the proxy of the network that the rootfs was built in: no guest can reach it.

    Give it to the build by its environment, not by a file in the rootfs.
    """
    inside = [f"{where}/{name}" for where in PROXY_DIRECTORIES for name in rootfs.listdir(where)]
    files = [path for path in (*PROXY_FILES, *inside) if rootfs.file(path).is_file]
    report(
        Finding(
            path,
            found=f"a proxy: {match[0].strip()[:60]}…",
            expected="no proxy; the runtime gives one to the agent where there is one (agent.https_proxy)",
            at_boot="whatever pulls or downloads in the guest waits for a proxy that it cannot reach",
            mend=f"remove the setting from {path}",
        )
        for path in files
        if (match := PROXY.search(rootfs.read_bytes(path, limit=65536).decode(errors="replace"))) is not None
    )


@check("NET-03", severity=WARN, content=FULL, source="src/agent/src/rpc.rs:126-135, 1364-1417")
@pytest.mark.parametrize("program", ["iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore"])
def test_iptables_is_where_the_agent_looks(rootfs: RootfsTree, program: str) -> None:
    """Guards against a guest that cannot take the runtime's firewall rules (kata-containers#4356).

    The agent starts these by fixed paths under /sbin and /usr/sbin. Install iptables.
    """
    paths = (f"/sbin/{program}", f"/usr/sbin/{program}")
    require(
        any(rootfs.file(path).is_executable for path in paths),
        paths[0],
        found=rootfs.file(paths[0]).describe(),
        expected=f"{program}, executable",
        at_boot="the guest boots; setting or reading its iptables rules fails",
        mend="install iptables",
    )
