"""zypper: openSUSE, into a tree of its own.

zypper would take any key that a repository offers about itself if it were told to trust on its own
(--gpg-auto-import-keys), and so it is not: rpm is given the pinned keys first, and zypper knows no others.
"""

from __future__ import annotations

from pathlib import Path

from rootfs_kit.backends import Command, Plan, Site, Tool
from rootfs_kit.backends.rpm import (
    MACROS,
    environment,
    foreign_machine,
    index,
    key_files,
    macros,
    repository_sections,
)
from rootfs_kit.distro import Distro
from rootfs_kit.request import BuildRequest

ZYPPER = Tool("zypper", dict.fromkeys(("debian", "ubuntu", "fedora", "opensuse", "arch"), "zypper"))
RPM = Tool("rpm", dict.fromkeys(("debian", "ubuntu", "fedora", "opensuse"), "rpm") | {"arch": "rpm-tools"})

REPOSITORIES = "repositories/rootfs-kit.repo"
LIBRARY_CONFIGURATION = "zypp.conf"
CONFIGURATION = "zypper.conf"

# libzypp's zypp.conf documents each of these. What it looks for in /etc/zypp (locks, vendors, plugins' settings) it
# finds in an empty directory.
LIBRARY = """\
[main]
commit.downloadMode=DownloadInAdvance
configdir={directory}
credentials.global.dir={directory}/credentials
download.connect_timeout=30
download.max_silent_tries=3
download.transfer_timeout=60
download.use_deltarpm=false
multiversion=
rpm.install.excludedocs=yes
solver.onlyRequires=true
"""

# Digests of packages are in the signed index, and zypper would leave it at that; pkg_gpgcheck has it look at the
# packages' own signatures as well.
CHECKS = {"type": "rpm-md", "autorefresh": "1", "gpgcheck": "1", "repo_gpgcheck": "1", "pkg_gpgcheck": "1"}
# Where a connection breaks off zypper asks what to do, and takes "abort" for an answer; but first it tries the
# repository's other addresses, and with a slash at its end the same one is another.
ENDINGS = ("", "/")
MILESTONES = (
    ("Loading repository data", 0.10),
    ("NEW package", 0.15),
    ("Retrieving package", 0.18),
    ("Executing %posttrans", 0.95),
)
COMPLAINTS = (
    "Error",
    "error:",
    "Signature verification failed",
    "Valid metadata not found",
    "No provider of ",
    "not found",
)
# Packages that no repository has, and a full disk: other mirrors have them as little, and no more room.
FUTILE = ("No provider of ", r"Package '.*' not found", "No space left on device")


class Zypper:
    """Plans a call of rpm(8) that brings the keys, and two of zypper(8): for the indexes, and for the packages."""

    name = "zypper"

    def plan(self, request: BuildRequest, distro: Distro, site: Site) -> Plan:
        """The calls that fill the tree; pure. Raises UsageError for what the distro has not, and without a mirror."""
        packages = distro.packages_for(request)
        keys = key_files(request, distro)
        rpm = environment(request, site)
        library = {**rpm, "ZYPP_CONF": str(site.files / LIBRARY_CONFIGURATION)}
        zypper = (
            "zypper",
            f"--config={site.files / CONFIGURATION}",
            f"--root={site.tree}",
            f"--reposd-dir={(site.files / REPOSITORIES).parent}",
            "--non-interactive",
        )
        install = (*zypper, "--no-refresh", "install", "--no-recommends", "--auto-agree-with-licenses", *packages)
        commands = (
            Command(("rpm", f"--root={site.tree}", "--import", *(str(site.files / name) for name in keys)), rpm),
            # On its own, since an install goes on without a repository that it could not refresh.
            Command((*zypper, "refresh"), library, (), COMPLAINTS),
            Command(install, library, MILESTONES, COMPLAINTS, futile=FUTILE),
        )
        return Plan(commands, (ZYPPER, RPM), packages, self._files(request, distro, site))

    def index(self, request: BuildRequest, distro: Distro) -> str:
        return index(request, distro)

    @staticmethod
    def _files(request: BuildRequest, distro: Distro, site: Site) -> dict[str, bytes | Path]:
        foreign = foreign_machine(request, distro, site)
        machine = f"arch={foreign}\n" if foreign else ""
        return {
            REPOSITORIES: repository_sections(request, distro, site, CHECKS, ENDINGS).encode(),
            CONFIGURATION: b"[main]\n",
            LIBRARY_CONFIGURATION: f"{LIBRARY.format(directory=site.files / 'zypp')}{machine}".encode(),
            MACROS: macros(request, distro),
            **key_files(request, distro),
        }
