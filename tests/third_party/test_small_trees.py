"""Alpine's minirootfs and a busybox root: as the archives that their makers publish, unpacked, and as images."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.requirements import needs_program, needs_root, third_party_data
from tests.third_party.found import (
    NO_AGENT_AS_INIT,
    NO_IPTABLES,
    NO_MKFS,
    NO_RESOLVER,
    NO_SYSTEMD,
    NOT_OURS,
    found_in,
)

MINIROOTFS = ("alpine-minirootfs-3.19.4-x86_64.tar.gz", "alpine-minirootfs-3.20.3-x86_64.tar.gz")
BUSYBOX = "busybox/busybox-musl-amd64-rootfs.tar.gz"

OF_ALPINE = {
    *NO_AGENT_AS_INIT, *NO_IPTABLES, *NO_MKFS, *NO_RESOLVER, *NOT_OURS,
    # /sbin/init is an absolute link to /bin/busybox: Kata's image builder would follow it on the host.
    "GAT-01::test_image_builder_takes_the_agent_as_init",
    # A minirootfs has the base only; the packages that the description of Alpine asks for come with a build.
    "PKG-01::test_required_package_is_installed",
}  # fmt: skip

OF_BUSYBOX = {
    # It does not say whose it is, and there is no list of packages that it should hold.
    "PKG-06::test_required_packages_are_known",
    *NO_SYSTEMD, *NO_IPTABLES, *NO_MKFS, *NO_RESOLVER, *NOT_OURS,
    # It is made for containers, whose runtime brings /proc, /run and /sys; a virtual machine mounts them on its own.
    "LAY-02::test_mount_point_is_there",
    # There is a bare /var, with neither /var/run nor /var/tmp below it.
    "LAY-03::test_var_run_is_run", "LAY-03::test_var_tmp_is_a_directory",
}  # fmt: skip


def unpacked(archive: Path, place: Path) -> Path:
    place.mkdir()
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(place)], check=True)
    return place


@pytest.mark.parametrize("name", MINIROOTFS)
def test_alpine_minirootfs_as_it_is_published(name: str) -> None:
    assert found_in(third_party_data() / "alpine" / name) == OF_ALPINE


@needs_root()
@pytest.mark.parametrize("name", MINIROOTFS)
def test_alpine_minirootfs_unpacked(tmp_path: Path, name: str) -> None:
    assert found_in(unpacked(third_party_data() / "alpine" / name, tmp_path / "alpine")) == OF_ALPINE


def test_busybox_as_it_is_published() -> None:
    assert found_in(third_party_data() / BUSYBOX) == OF_BUSYBOX


@needs_root()
def test_busybox_unpacked(tmp_path: Path) -> None:
    assert found_in(unpacked(third_party_data() / BUSYBOX, tmp_path / "busybox")) == OF_BUSYBOX


def saved_by(tool: list[str], archive: Path, place: Path) -> Path:
    """The archive that `save` makes of an image into which `archive` was imported; the image is removed again."""
    image, saved = f"rootfs-kit-test-{place.name}:latest", place / "saved.tar"
    subprocess.run([*tool, "import", str(archive), image], check=True, stdout=subprocess.DEVNULL)
    try:
        subprocess.run([*tool, "save", "-o", str(saved), image], check=True)
    finally:
        subprocess.run([*tool, "rmi", image], check=True, stdout=subprocess.DEVNULL)
    return saved


@pytest.mark.slow
@needs_program("docker")
def test_alpine_through_docker_import_and_save(tmp_path: Path) -> None:
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs a Docker daemon that answers")
    archive = third_party_data() / "alpine" / MINIROOTFS[1]
    place = tmp_path / "image"
    place.mkdir()
    saved = saved_by(["docker"], archive, place)
    assert found_in(saved) == OF_ALPINE
    assert found_in(f"docker-archive:{saved}") == OF_ALPINE


@pytest.mark.slow
@needs_root()
@needs_program("podman")
def test_alpine_through_podman_import_and_save(tmp_path: Path) -> None:
    archive = third_party_data() / "alpine" / MINIROOTFS[1]
    place = tmp_path / "image"
    place.mkdir()
    with tempfile.TemporaryDirectory(prefix="podman-") as run:  # podman takes no runroot of more than 50 characters
        store = ["--root", str(tmp_path / "root"), "--runroot", run, "--storage-driver", "vfs"]
        assert found_in(saved_by(["podman", *store], archive, place)) == OF_ALPINE
