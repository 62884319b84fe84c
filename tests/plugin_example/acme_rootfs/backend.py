"""Drives no package manager at all: a distribution of ACME's is a tar archive."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from rootfs_kit.backends import Command, Plan, Site, Tool
from rootfs_kit.distro import Distro
from rootfs_kit.request import BuildRequest


class TarBackend:
    name = "acme-tar"

    def plan(self, request: BuildRequest, distro: Distro, site: Site) -> Plan:
        archive = unquote(urlsplit(site.mirror or "file:///srv/acme/rootfs.tar").path)
        command = Command(("tar", "--directory", str(site.tree), "--extract", "--file", archive))
        return Plan((command,), (Tool("tar", {"debian": "tar"}),), distro.packages_for(request))

    def index(self, request: BuildRequest, distro: Distro) -> str:
        return ""
