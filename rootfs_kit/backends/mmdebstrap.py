"""mmdebstrap: Debian and its derivatives, by apt itself, with the archive's signatures verified."""

from __future__ import annotations

from rootfs_kit.backends import Command, Plan, Site, Tool
from rootfs_kit.distro import Distro
from rootfs_kit.request import BuildRequest

MMDEBSTRAP = Tool(
    "mmdebstrap", {"debian": "mmdebstrap", "ubuntu": "mmdebstrap", "fedora": "mmdebstrap", "arch": "mmdebstrap"}
)
APT_OPTIONS = (
    "Acquire::Languages none",
    "Acquire::Retries 3",
    "Acquire::http::Timeout 30",
    "APT::Install-Recommends false",
)
# What apt and dpkg say of a package that no mirror has, and of a full disk.
FUTILE = (
    r"E: Unable to locate package",
    r"E: Couldn't find any package by (?:glob|regex)",
    r"has no installation candidate",
    r"No space left on device",
)
KEYRINGS = "keyrings"
MILESTONES = (
    ("running apt-get update", 0.02),
    ("downloading packages with apt", 0.12),
    ("extracting archives", 0.20),
    ("installing essential packages", 0.32),
    ("installing remaining packages", 0.58),
    ("cleaning package lists", 0.97),
)


class Mmdebstrap:
    """Plans one call of mmdebstrap(1)."""

    name = "mmdebstrap"

    def plan(self, request: BuildRequest, distro: Distro, site: Site) -> Plan:
        """The call that fills the tree; pure. Raises UsageError for a release or machine that the distro has not."""
        release = distro.release(request.os_version)
        packages = distro.packages_for(request)
        keyrings = {
            f"{KEYRINGS}/{file.name}": file
            for file in (*distro.keyrings, *(key.file for key in distro.keys_for(request)))
        }
        # A directory: of several --keyring the last would count, and beside a file the host's own keys. Nor may
        # mmdebstrap name a keyring of the host's for the release in its sources.list.
        trusted = (f"--keyring={site.files / KEYRINGS}", "--skip=check/signed-by") if keyrings else ()
        # Whether programs of that machine run here was found out before; mmdebstrap would need arch-test for that.
        foreign = (f"--architectures={distro.architectures[request.arch]}", "--skip=check/qemu") if request.arch else ()
        argv = (
            "mmdebstrap",
            "--mode=root",
            "--format=directory",
            "--variant=required",
            *foreign,
            f"--components={','.join(_components(request, distro))}",
            f"--include={','.join(packages)}",
            *(f"--aptopt={option}" for option in APT_OPTIONS),
            "--dpkgopt=force-unsafe-io",
            *trusted,
            release.name,
            str(site.tree),
            *_sources(request, distro, site),
        )
        command = Command(argv, self._environment(request), MILESTONES, futile=FUTILE)
        return Plan((command,), (MMDEBSTRAP,), packages, keyrings)

    def index(self, request: BuildRequest, distro: Distro) -> str:
        return f"dists/{distro.release(request.os_version).name}/InRelease"

    @staticmethod
    def _environment(request: BuildRequest) -> dict[str, str]:
        if request.source_date_epoch is None:
            return {}
        return {"SOURCE_DATE_EPOCH": str(request.source_date_epoch)}


def _sources(request: BuildRequest, distro: Distro, site: Site) -> tuple[str, ...]:
    """What follows the directory: a mirror, or lines of sources.list(5) where the distribution has several suites.

    A mirror that the user named is taken as it is: it may have the release's own suite only.
    """
    if site.mirror is None:
        return ()
    if request.mirror is not None or not distro.suites:
        return (site.mirror,)
    components = " ".join(_components(request, distro))
    return tuple(f"deb {site.mirror} {distro.filled_in(suite, request)} {components}" for suite in distro.suites)


def _components(request: BuildRequest, distro: Distro) -> tuple[str, ...]:
    return request.components or distro.components
