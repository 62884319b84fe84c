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
        keyrings = {f"keyrings/{keyring.name}": keyring for keyring in distro.keyrings}
        architecture = (f"--architectures={distro.architectures[request.arch]}",) if request.arch else ()
        argv = (
            "mmdebstrap",
            "--mode=root",
            "--format=directory",
            "--variant=required",
            *architecture,
            f"--components={','.join(request.components or distro.components)}",
            f"--include={','.join(packages)}",
            *(f"--aptopt={option}" for option in APT_OPTIONS),
            "--dpkgopt=force-unsafe-io",
            *(f"--keyring={site.files / name}" for name in keyrings),
            release.name,
            str(site.tree),
            *((site.mirror,) if site.mirror else ()),
        )
        return Plan((Command(argv, self._environment(request), MILESTONES),), (MMDEBSTRAP,), packages, keyrings)

    def index(self, request: BuildRequest, distro: Distro) -> str:
        return f"dists/{distro.release(request.os_version).name}/InRelease"

    @staticmethod
    def _environment(request: BuildRequest) -> dict[str, str]:
        if request.source_date_epoch is None:
            return {}
        return {"SOURCE_DATE_EPOCH": str(request.source_date_epoch)}
