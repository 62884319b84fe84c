"""apk's list of installed packages, of real Alpine trees and of damaged ones."""

from __future__ import annotations

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.packages import Presence, Provided
from tests.support.trees import write
from tests.tree_packages.real_tools import output, unpack_alpine

ENTRY = (
    "C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=\nP:iptables\nV:1.8.10-r3\nA:x86_64\nI:2330624\no:iptables\nF:sbin\nR:iptables\n\n"
)


@pytest.mark.parametrize("release", ["3.19.4", "3.20.3"])
def test_a_real_alpine_tree_is_read_as_apk_reads_it(tmp_path, release):
    alpine = unpack_alpine(tmp_path, f"alpine/alpine-minirootfs-{release}-x86_64.tar.gz")
    packages = open_rootfs(alpine).packages
    loader = next((alpine / "lib").glob("ld-musl-*.so.1"))
    apk = [loader, "--library-path", f"{alpine}/lib:{alpine}/usr/lib", alpine / "sbin/apk", "--root", alpine]
    listed = output(*apk, "--no-network", "--keys-dir", alpine / "etc/apk/keys", "info", "-v").split()
    assert sorted(f"{package.name}-{package.version}" for package in packages.values()) == sorted(listed)
    assert (packages.method, packages.source_path, packages.rules) == ("apk", "/lib/apk/db/installed", "apk")
    assert packages["so:libc.musl-x86_64.so.1"].name == "musl"
    assert packages["cmd:busybox"].name == packages["busybox"].name == "busybox"
    assert packages["ssl_client"].source == "busybox"
    assert packages["musl"].installed_size > 600_000
    assert packages.answer("iptables") is Presence.ABSENT


def test_newer_alpine_keeps_the_list_below_usr(tmp_path):
    write(tmp_path, "usr/lib/apk/db/installed", ENTRY)
    packages = open_rootfs(tmp_path).packages
    assert packages.source_path == "/usr/lib/apk/db/installed"
    assert packages["iptables"].version == "1.8.10-r3"


def test_what_a_package_provides_is_known_with_its_version(tmp_path):
    write(
        tmp_path,
        "lib/apk/db/installed",
        ENTRY.replace("o:", "p:so:libxtables.so.12=12.7.0 cmd:iptables ip6tables=2\no:"),
    )
    packages = open_rootfs(tmp_path).packages
    assert packages["iptables"].provides == (
        Provided("so:libxtables.so.12", "12.7.0"),
        Provided("cmd:iptables"),
        Provided("ip6tables", "2"),
    )
    assert packages.satisfies("ip6tables", ">= 2") is True


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (ENTRY + "P:bash", "line 10 has no end"),
        (ENTRY + "P:bash\n", "the entry at line 10 lacks the version"),
        (ENTRY + "V:5.2\n", "the entry at line 10 lacks the name"),
        (ENTRY + "bash 5.2\n", "line 10 is no letter with a value: 'bash 5.2'"),
        (ENTRY + "\0\0\0\n", "line 10 holds NUL bytes"),
    ],
)
def test_damage_is_told_with_its_line(tmp_path, content, words):
    write(tmp_path, "lib/apk/db/installed", content)
    with pytest.raises(CouldNotLook, match=words):
        _ = open_rootfs(tmp_path).packages


def test_an_emptied_list_is_no_list(tmp_path):
    write(tmp_path, "lib/apk/db/installed")
    assert open_rootfs(tmp_path).packages.method == "unknown"
