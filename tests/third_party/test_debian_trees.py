"""What Debian itself makes: the initrd of its installer, and the tree of a plain debootstrap."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.support.boot import cache_directory
from tests.support.requirements import needs_program, needs_root, require_debian_archive
from tests.third_party.found import (
    NO_AGENT_AS_INIT,
    NO_IPTABLES,
    NO_MKFS,
    NO_RESOLVER,
    NO_SYSTEMD,
    NOT_OURS,
    found_in,
)

pytestmark = [pytest.mark.slow, pytest.mark.network]

SUITE = "bookworm"

OF_THE_INSTALLER = {
    *NO_AGENT_AS_INIT, *NO_IPTABLES, *NO_MKFS, *NO_RESOLVER, *NOT_OURS,
    # Two programs: the kernel starts /init, a script that copies itself out of the way and then starts /sbin/init.
    "INI-04::test_initrd_has_an_init_at_its_root",
    # The installer is root alone, with a /tmp that it need not share, and a /var/run of its own beside /run.
    "LAY-02::test_tmp_is_sticky_and_open_to_all",
    "LAY-03::test_var_run_is_run", "LAY-03::test_var_tmp_is_a_directory",
    # Its passwd and group know next to nobody, and screen is setgid to the group utmp by number. ping programs are
    # setuid where Debian proper uses capabilities.
    "LAY-06::test_every_owner_is_known", "LAY-06::test_setuid_programs_are_the_usual_ones",
    # depmod runs when the installer starts, as it adds modules at run time; until then there is no index.
    "MOD-01::test_module_index_agrees_with_the_files",
    # It has no os-release, and so does not say that it is Debian's.
    "PKG-06::test_required_packages_are_known",
    # Its packages (udebs) are unpacked when the image is made, and configured by the menu.
    "PKG-05::test_no_package_is_half_installed",
}  # fmt: skip

OF_DEBOOTSTRAP = {
    *NO_SYSTEMD, *NO_IPTABLES, *NOT_OURS,
    # minbase has the essential packages and apt; what the description of Debian asks for is not among them.
    "PKG-01::test_required_package_is_installed",
    # debootstrap leaves its downloads, apt's lists, its logs and dpkg's backups, all of which a build removes.
    "PKG-03::test_no_package_cache_is_left", "PKG-03::test_no_logs_are_left", "PKG-03::test_nothing_personal_is_left",
}  # fmt: skip
OF_THE_HOST = {
    # debootstrap copies these from the machine that it runs on, whatever they say there.
    "NET-01::test_resolv_conf_holds_no_build_host_resolver",
    "NET-02::test_hostname_is_nobodys",
}


@cache
def installer_initrd() -> Path:
    """The text installer's initrd.gz for this machine, from the package of the host's release."""
    require_debian_archive()
    machine = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    listed = subprocess.run(
        ["apt-cache", "search", "--names-only", f"^debian-installer-[0-9]+-netboot-{machine}$"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    packages = [word for word in listed if word.endswith(f"-netboot-{machine}")]
    if not packages:
        pytest.skip(f"needs a package debian-installer-*-netboot-{machine} in apt's lists (apt-get update)")
    place = cache_directory() / packages[-1]
    if not list(place.rglob("initrd.gz")):
        place.mkdir(exist_ok=True)
        subprocess.run(["apt-get", "download", packages[-1]], cwd=place, check=True, capture_output=True)
        (archive,) = place.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", str(archive), str(place)], check=True)
        archive.unlink()
    return next(path for path in sorted(place.rglob("initrd.gz")) if "gtk" not in path.parts)


@needs_program("apt-get", "dpkg-deb")
def test_initrd_of_the_installer() -> None:
    assert found_in(installer_initrd()) == OF_THE_INSTALLER


@needs_root()
@needs_program("apt-get", "dpkg-deb", "cpio")
def test_initrd_of_the_installer_unpacked(tmp_path: Path) -> None:
    """As a directory it is no initrd any more, and nobody asks for the kernel's /init."""
    root = tmp_path / "initrd"
    root.mkdir()
    with subprocess.Popen(["gzip", "-dc", str(installer_initrd())], stdout=subprocess.PIPE) as unpacking:
        subprocess.run(["cpio", "-id", "--quiet"], cwd=root, stdin=unpacking.stdout, check=True)
    assert found_in(root) == OF_THE_INSTALLER - {"INI-04::test_initrd_has_an_init_at_its_root"}
    assert found_in(root, profile="agent-init", features=("initrd",)) == OF_THE_INSTALLER


@needs_root()
@needs_program("debootstrap")
def test_tree_of_a_plain_debootstrap(tmp_path: Path) -> None:
    require_debian_archive()
    root = tmp_path / "debian"
    subprocess.run(["debootstrap", "--variant=minbase", SUITE, str(root)], check=True, stdout=subprocess.DEVNULL)
    assert found_in(root) - OF_THE_HOST == OF_DEBOOTSTRAP
