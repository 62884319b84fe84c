"""The engines, an image that has the package manager in each, and the archive in miniature to build from."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.build.builds import Mirror
from tests.build.conftest import archive
from tests.build.conftest import mirror as archive_mirror
from tests.containers.services import REGISTRY, Service, answers, containers_conf
from tests.support.requirements import require_debian_archive

__all__ = ["archive", "archive_mirror"]

SLIM = "debian:of-this-host"


@pytest.fixture(scope="session")
def mirror(archive_mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    """The archive in miniature, and a Debian that is built with the mmdebstrap of this host's own release.

    Releases of mmdebstrap differ in what they install; the tests compare containers with the host.
    """
    distros = tmp_path_factory.mktemp("for-containers") / "distros"
    shutil.copytree(archive_mirror.distros, distros)
    description = distros / "debian/distro.toml"
    shipped = 'image = "debian:trixie-slim"'
    assert shipped in description.read_text()
    description.write_text(description.read_text().replace(shipped, f'image = "{SLIM}"'))
    return replace(archive_mirror, distros=distros)


@pytest.fixture(scope="session")
def base_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tar of what Debian's own slim image is: its essential packages and apt."""
    require_debian_archive()
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    place = tmp_path_factory.mktemp("base") / "debian.tar"
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=apt", codename, str(place)], check=True, stdin=subprocess.DEVNULL,
        capture_output=True,
    )  # fmt: skip
    return place


@pytest.fixture(scope="session")
def docker(base_tree: Path) -> Iterator[Service]:
    if not answers("docker"):
        pytest.skip("needs a Docker Engine that answers")
    yield from _with_images(Service("docker", ("docker",)), base_tree)


@pytest.fixture(scope="session")
def podman(base_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    before = os.environ.get("CONTAINERS_CONF")
    os.environ["CONTAINERS_CONF"] = str(containers_conf(tmp_path_factory.mktemp("podman")))
    try:
        if not answers("podman"):
            pytest.skip("needs podman")
        yield from _with_images(Service("podman", ("podman",)), base_tree)
    finally:
        os.environ.pop("CONTAINERS_CONF")
        if before is not None:
            os.environ["CONTAINERS_CONF"] = before


@pytest.fixture(params=["docker", "podman"])
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(request.param)
    return found


@pytest.fixture(autouse=True)
def nothing_stays(request: pytest.FixtureRequest) -> Iterator[None]:
    """No container and no volume is left behind in an engine that a test has used."""
    used = [request.getfixturevalue(name) for name in ("docker", "podman") if name in request.fixturenames]
    used += [request.getfixturevalue("service")] if "service" in request.fixturenames else []
    before = [(each.containers(), each.volumes()) for each in used]
    yield
    assert [(each.containers(), each.volumes()) for each in used] == before


def _with_images(service: Service, base_tree: Path) -> Iterator[Service]:
    before = _images(service)
    service.import_image(base_tree, SLIM)
    yield service
    made = [image for image in _images(service) if image not in before]
    subprocess.run([*service.client, "rmi", "--force", *made], capture_output=True, check=False)


def _images(service: Service) -> list[str]:
    names = service.ask("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    return [name for name in names if name.startswith((REGISTRY, "localhost/rootfs-kit-builder-"))]
