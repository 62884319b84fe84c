"""An ordinary user with a container engine: the tree is the one that the user's own namespace gives."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.build.builds import Mirror, differences, left_behind
from tests.containers.conftest import SLIM
from tests.containers.services import REGISTRY, Service, containers_conf
from tests.engines.conftest import guests as guests_of_the_archive
from tests.engines.conftest import user
from tests.engines.guests import EPOCH, Guests

__all__ = ["guests_of_the_archive", "user"]
pytestmark = [pytest.mark.slow, pytest.mark.network]


@pytest.fixture(scope="module")
def guests(guests_of_the_archive: Guests, mirror: Mirror) -> Guests:
    """With the distribution whose builder image can be had here."""
    theirs = guests_of_the_archive.user.place / "for-containers"
    theirs.mkdir(exist_ok=True)
    subprocess.run(["cp", "-r", f"{mirror.distros}/.", str(theirs)], check=True)
    subprocess.run(["chmod", "-R", "a+rX", str(theirs)], check=True)
    return replace(guests_of_the_archive, distros=theirs)


@pytest.fixture(scope="module")
def by_userns(guests: Guests) -> Path:
    target = guests.user.home / "by-userns"
    done = guests.by_user(target, "--engine", "userns", SOURCE_DATE_EPOCH=EPOCH)
    assert done.status == 0, done.err
    return target


@pytest.fixture
def in_docker_group(guests: Guests, docker: Service) -> Iterator[None]:
    """Whoever is in that group may use the engine's socket."""
    added = subprocess.run(["usermod", "-aG", "docker", guests.user.name], capture_output=True, check=False)
    if added.returncode != 0:
        pytest.skip("needs a group docker, whose members may use the engine")
    yield
    subprocess.run(["gpasswd", "-d", guests.user.name, "docker"], capture_output=True, check=True)


@pytest.fixture
def own_podman(guests: Guests, podman: Service, base_tree: Path) -> Iterator[dict[str, str]]:
    """The environment in which the user's own Podman works, with the base image in its store."""
    runtime = guests.user.home / "runtime"
    runtime.mkdir(mode=0o700)
    subprocess.run(["chown", f"{guests.user.uid}:{guests.user.gid}", str(runtime)], check=True)
    environ = {"XDG_RUNTIME_DIR": str(runtime), "CONTAINERS_CONF": str(containers_conf(guests.user.place))}
    tree = guests.user.bring(base_tree)
    imported = guests.user.finish(guests.user.as_user("podman", "import", str(tree), f"{REGISTRY}/{SLIM}"), **environ)
    if imported.status != 0:
        pytest.skip(f"needs a podman that works for ordinary users: {imported.err.strip()[-200:]}")
    yield environ
    for command in (("podman", "system", "reset", "--force"), ("podman", "system", "migrate")):
        guests.user.finish(guests.user.as_user(*command), **environ)


def test_with_docker_the_tree_is_the_one_of_a_user_namespace(
    guests: Guests, by_userns: Path, in_docker_group: None, docker: Service
) -> None:
    target = guests.user.home / "by-docker"
    done = guests.by_user(target, "--engine", "docker", "--image-registry", REGISTRY, SOURCE_DATE_EPOCH=EPOCH)
    assert done.status == 0, done.err
    assert differences(guests.seen_by_user(target), guests.seen_by_user(by_userns)) == []
    assert left_behind(target) == []


def test_with_a_podman_of_ones_own_too(guests: Guests, by_userns: Path, own_podman: dict[str, str]) -> None:
    target = guests.user.home / "by-podman"
    done = guests.by_user(
        target, "--engine", "podman", "--image-registry", REGISTRY, SOURCE_DATE_EPOCH=EPOCH, **own_podman
    )
    assert done.status == 0, done.err
    assert differences(guests.seen_by_user(target), guests.seen_by_user(by_userns)) == []
    assert left_behind(target) == []
    left = guests.user.finish(guests.user.as_user("podman", "ps", "--all", "--quiet"), **own_podman)
    assert left.out == b""
