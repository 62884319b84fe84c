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

from tests.alpine.conftest import alpine
from tests.build.builds import Mirror
from tests.build.conftest import archive
from tests.build.conftest import mirror as archive_mirror
from tests.containers.services import REGISTRY, Service, answers, containers_conf
from tests.support.requirements import require_debian_archive

__all__ = ["alpine", "archive", "archive_mirror"]

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
def empty_docker() -> Iterator[Service]:
    """Docker Engine without an image of the tests'."""
    if not answers("docker"):
        pytest.skip("needs a Docker Engine that answers")
    yield from _without_new_images(Service("docker", ("docker",)))


@pytest.fixture(scope="session")
def empty_podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Podman without an image of the tests'."""
    before = os.environ.get("CONTAINERS_CONF")
    os.environ["CONTAINERS_CONF"] = str(containers_conf(tmp_path_factory.mktemp("podman")))
    try:
        if not answers("podman"):
            pytest.skip("needs podman")
        yield from _without_new_images(Service("podman", ("podman",)))
    finally:
        os.environ.pop("CONTAINERS_CONF")
        if before is not None:
            os.environ["CONTAINERS_CONF"] = before


@pytest.fixture(scope="session")
def docker(empty_docker: Service, base_tree: Path) -> Service:
    empty_docker.import_image(base_tree, SLIM)
    return empty_docker


@pytest.fixture(scope="session")
def podman(empty_podman: Service, base_tree: Path) -> Service:
    empty_podman.import_image(base_tree, SLIM)
    return empty_podman


@pytest.fixture(params=["docker", "podman"])
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["empty_docker", "empty_podman"])
def empty_service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(request.param)
    return found


@pytest.fixture(autouse=True)
def nothing_stays(request: pytest.FixtureRequest) -> Iterator[None]:
    """No container and no volume is left behind in an engine that a test has used."""
    names = ("docker", "podman", "empty_docker", "empty_podman", "service", "empty_service")
    used: list[Service] = [request.getfixturevalue(name) for name in names if name in request.fixturenames]
    before = [(each.containers(), each.volumes()) for each in used]
    yield
    assert [(each.containers(), each.volumes()) for each in used] == before


def _without_new_images(service: Service) -> Iterator[Service]:
    """The service, from which the images that tests made go in the end."""
    before = _images(service)
    yield service
    made = [image for image in _images(service) if image not in before]
    subprocess.run([*service.client, "rmi", "--force", *made], capture_output=True, check=False)


def _images(service: Service) -> list[str]:
    names = service.ask("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    return [name for name in names if name.startswith((REGISTRY, "localhost/rootfs-kit-builder-"))]
