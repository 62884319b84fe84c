"""Alpine, whose base image has busybox's tar: GNU's is installed for the tree to come out, or asked for in words."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.alpine.builds import Alpine
from tests.build.builds import differences, left_behind, look
from tests.containers.registry import registry
from tests.containers.services import REGISTRY, Service
from tests.support.alpine_mirror import Minirootfs
from tests.support.apk_files import Package, file, with_parents
from tests.support.carrier import carrier
from tests.support.debian_archive import served

pytestmark = pytest.mark.slow
EPOCH = "1700000000"


@pytest.fixture(scope="session")
def with_tar(alpine: Alpine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mirror of Alpine, with a package tar in it besides: GNU tar of this host, in one static program."""
    place = tmp_path_factory.mktemp("with-tar")
    shutil.copytree(alpine.mirror.directory, place / "alpine")
    mirror = replace(alpine.mirror, directory=place / "alpine")
    program = carried(Path(shutil.which("tar") or "/bin/tar"), place / "tar")
    mirror.add(Package("tar", "1.35-r0", with_parents([file("bin/tar", program, 0o755)])), mirror.main)
    mirror.index(mirror.main)
    return place


@pytest.fixture
def image(alpine: Alpine, empty_service: Service) -> Iterator[str]:
    """The minirootfs as it is, for an image."""
    minirootfs = alpine.mirror.minirootfs
    name = empty_service.import_image(minirootfs.archive, f"minirootfs:{minirootfs.release}")
    yield name
    empty_service.ask("rmi", "--force", name)


def carried(program: Path, output: Path) -> bytes:
    """A program of this host, with all that it is loaded with, as one static program."""
    listed = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True).stdout
    found = [Path(word) for line in listed.splitlines() for word in line.split() if word.startswith("/")]
    loader = next(path for path in found if path.name.startswith("ld-"))
    return carrier(output, loader, program, [path for path in found if path != loader]).read_bytes()


def asking(minirootfs: Minirootfs, url: str, key: Path, place: Path) -> Path:
    """The minirootfs as a tar, of which apk asks the mirror at `url` and trusts its key besides Alpine's."""
    added = {"etc/apk/repositories": f"{url}/v{minirootfs.release}/main\n".encode()}
    added |= {f"etc/apk/keys/{key.name}": key.read_bytes()}
    with tarfile.open(minirootfs.archive) as archive, tarfile.open(place, "w") as made:
        for member in archive:
            if member.name.removeprefix("./") not in added:
                made.addfile(member, archive.extractfile(member) if member.isreg() else None)
        for name, content in added.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            made.addfile(member, io.BytesIO(content))
    return place


def test_the_tree_is_the_one_that_the_host_builds(
    alpine: Alpine, with_tar: Path, empty_service: Service, tmp_path: Path
) -> None:
    minirootfs, target = alpine.mirror.minirootfs, tmp_path / "rootfs"
    with served(with_tar) as url:
        key = alpine.mirror.signer.public
        base = asking(minirootfs, f"{url}/alpine", key, tmp_path / "base.tar")
        empty_service.import_image(base, f"alpine:{minirootfs.release}")
        engine = ("--engine", empty_service.address, "--image-registry", REGISTRY)
        done = alpine.build(target, "-q", *engine, SOURCE_DATE_EPOCH=EPOCH)
    assert (done.status, done.out) == (0, ""), done.err
    on_host = alpine.build(tmp_path / "on-host", "-q", "--engine", "host", SOURCE_DATE_EPOCH=EPOCH)
    assert on_host.status == 0, on_host.err
    assert os.readlink(target / "bin/tar") == "/bin/busybox"
    assert differences(look(target), look(tmp_path / "on-host")) == []
    assert left_behind(target) == []


def test_an_image_with_busyboxs_tar_is_refused_before_anything_is_installed(
    alpine: Alpine, empty_service: Service, image: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    engine = ("--engine", empty_service.address, "--builder-image", image)
    done = alpine.build(tmp_path / "rootfs", *engine, "--log", str(log))
    assert done.status == 4, done.err
    assert f"looking at the image {image}: its tar cannot pack a tree with its attributes: tar: " in done.err
    assert "apk add tar" in done.err
    assert "OK: " not in log.read_text()
    assert not (tmp_path / "rootfs").exists()
    assert left_behind(tmp_path / "rootfs") == []


def test_an_image_that_the_engine_has_not_is_told_with_what_to_do(
    alpine: Alpine, empty_service: Service, tmp_path: Path
) -> None:
    """Nothing answers on that port of this host, so that none can be pulled."""
    image = "localhost:9/no-such-image:1"
    pulled = subprocess.run([*empty_service.client, "pull", image], capture_output=True, text=True, check=False)
    done = alpine.build(tmp_path / "rootfs", "--engine", empty_service.address, "--builder-image", image)
    assert done.status == 4, done.err
    engine = empty_service.address
    assert f"looking for the image {image}: {engine} has no such image, and cannot pull it: " in done.err
    assert "connection refused" in pulled.stderr
    assert "connection refused" in done.err
    assert f"`{engine} image ls`" in done.err
    assert "--builder-image" in done.err
    assert "info` answers" not in done.err
    assert not (tmp_path / "rootfs").exists()


def test_an_image_that_the_engine_can_pull_is_pulled(alpine: Alpine, empty_docker: Service, tmp_path: Path) -> None:
    """By Docker alone: Podman asks no registry without TLS unless it is configured to."""
    with registry(alpine.mirror.minirootfs.archive, tmp_path / "registry", "pulled", "1") as address:
        image = f"{address}/pulled:1"
        done = alpine.build(tmp_path / "rootfs", "--engine", empty_docker.address, "--builder-image", image)
    assert f"pulling the image {image}\n" in done.err
    empty_docker.ask("rmi", image)
    assert f"looking at the image {image}: its tar cannot pack a tree" in done.err


def with_two_mirrors(alpine: Alpine, directory: Path) -> Alpine:
    """The same mirror, by two addresses that the distribution itself names."""
    one = alpine.url
    two = alpine.described(directory, ('"https://dl-cdn.alpinelinux.org/alpine",', f'"{one}", "{one}/",'))
    return replace(two, url="")


def test_no_other_mirror_is_asked_for_an_image_that_will_not_do(
    alpine: Alpine, empty_service: Service, image: str, tmp_path: Path
) -> None:
    engine = ("--engine", empty_service.address, "--builder-image", image)
    done = with_two_mirrors(alpine, tmp_path / "described").build(tmp_path / "rootfs", *engine)
    assert done.status == 4, done.err
    assert "trying the next mirror" not in done.err


def test_no_other_mirror_is_asked_for_an_image_that_cannot_be_built(
    alpine: Alpine, empty_service: Service, tmp_path: Path
) -> None:
    engine = ("--engine", empty_service.address, "--image-registry", "localhost:9")
    done = with_two_mirrors(alpine, tmp_path / "described").build(tmp_path / "rootfs", *engine)
    assert done.status == 3, done.err
    assert "connection refused" in done.err
    assert "trying the next mirror" not in done.err
