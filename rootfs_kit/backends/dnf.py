"""dnf, dnf5 and tdnf: Fedora, CentOS Stream and Azure Linux, into a tree of their own.

One plan serves all three: what they are told apart from the packages stands in one configuration file, in keys that
each of them reads or passes over.
"""

from __future__ import annotations

from dataclasses import dataclass
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

CONFIGURATION = "dnf.conf"
REPOSITORIES = "repositories/rootfs-kit.repo"

# dnf.conf(5). The directories at the end are inside the tree, wherever --installroot says that it is.
MAIN = """\
[main]
assumeyes=1
best=1
countme=0
gpgcheck=1
install_weak_deps=0
localpkg_gpgcheck=1
minrate=1000
plugins=0
protected_packages=
retries=3
skip_if_unavailable=0
timeout=30
cachedir=/var/cache/dnf
logdir=/var/log
persistdir=/var/lib/dnf
"""
# The configuration holds the repositories itself: a list of directories cannot name one with a space in it. tdnf has no
# other way than a directory, goes by the last of its two names for the key, and knows no missing file for an empty one.
PLACES = """\
reposdir=/dev/null
varsdir=/nonexistent
repodir={repositories}
"""
MILESTONES = (
    ("Dependencies resolved", 0.05),
    ("Downloading Packages", 0.08),
    ("Running transaction check", 0.40),
    ("Running transaction", 0.42),
    ("Installing ", 0.45),
    ("Verifying ", 0.95),
    ("Complete!", 1.0),
)
# What dnf, dnf5 and tdnf say of packages that are wrong, or that cannot be had.
COMPLAINTS = ("Error: ", "Error(", "Failed ", "GPG", "is not signed", "does not verify", "Public key for ", "[FAILED]")
# And of those that no repository has, and of a full disk: other mirrors have them as little, and no more room.
FUTILE = ("Unable to find a match", "No match for argument", "No matching packages", "No space left on device")


@dataclass(frozen=True)
class Dnf:
    """Plans one call of dnf(8), or of a program that takes its place."""

    name: str
    tool: Tool

    def plan(self, request: BuildRequest, distro: Distro, site: Site) -> Plan:
        """The call that fills the tree; pure. Raises UsageError for what the distro has not, and without a mirror."""
        release = distro.release(request.os_version)
        packages = distro.packages_for(request)
        foreign = foreign_machine(request, distro, site)
        # tdnf builds for its own machine only.
        tool = self.tool if foreign is None else DNF.tool
        argv = (
            tool.program,
            "--assumeyes",
            f"--config={site.files / CONFIGURATION}",
            f"--installroot={site.tree}",
            f"--releasever={release.version or release.name}",
            *((f"--forcearch={foreign}",) if foreign else ()),
            "--setopt=tsflags=nodocs",
            "install",
            *packages,
        )
        files = self._files(request, distro, site)
        # Aliases of this host could turn "install" into something else (dnf(8), Alias Command).
        variables = {**environment(request, site), "DNF_DISABLE_ALIASES": "1"}
        return Plan((Command(argv, variables, MILESTONES, COMPLAINTS, futile=FUTILE),), (tool,), packages, files)

    def index(self, request: BuildRequest, distro: Distro) -> str:
        return index(request, distro)

    def _files(self, request: BuildRequest, distro: Distro, site: Site) -> dict[str, bytes | Path]:
        checks = {"gpgcheck": "1", "repo_gpgcheck": "1" if distro.signed_indexes else "0"}
        repositories = repository_sections(request, distro, site, checks)
        places = PLACES.format(repositories=(site.files / REPOSITORIES).parent)
        return {
            CONFIGURATION: f"{MAIN}{places}\n{repositories}".encode(),
            REPOSITORIES: repositories.encode(),
            MACROS: macros(request, distro),
            **key_files(request, distro),
        }


DNF = Dnf(
    "dnf",
    Tool(
        "dnf",
        dict.fromkeys(("debian", "ubuntu", "fedora", "centos", "azurelinux", "opensuse", "arch"), "dnf"),
        instead=("dnf5",),
    ),
)
TDNF = Dnf(
    "tdnf",
    Tool(
        "tdnf",
        {"azurelinux": "tdnf", **dict.fromkeys(("debian", "ubuntu", "fedora", "centos", "opensuse", "arch"), "dnf")},
        instead=("dnf", "dnf5"),
    ),
)
