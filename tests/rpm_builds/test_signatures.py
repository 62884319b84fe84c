"""What is not signed by the distribution's own key is not installed, and the message says what was wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.build.builds import left_behind
from tests.rpm_builds.mirrors import RpmMirror
from tests.support.rpm_repository import Key, describe_distros, make_key, run

# Whose packages are checked by dnf and by zypper, and whose indexes.
PACKAGES = (("fedora", "44"), ("opensuse", "16.0"))
INDEXES = (("azurelinux", "3.0"), ("opensuse", "16.0"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Key:
    """Somebody else's key."""
    return make_key(tmp_path_factory.mktemp("stranger") / "gpg", "a stranger")


@pytest.fixture
def mirror(request: pytest.FixtureRequest, mirror_of: Callable[[str, str], RpmMirror]) -> RpmMirror:
    """A copy of the mirror of the release that the test names, to be changed."""
    return mirror_of(*request.param).copy()


def refused(mirror: RpmMirror, target: Path) -> str:
    """What a build says that has to fail; nothing may be left of it."""
    done = mirror.build(target, "--agent-init")
    assert done.status == 3, done.out + done.err
    assert not target.exists()
    assert left_behind(target) == []
    return done.err


@pytest.mark.parametrize("mirror", PACKAGES, indirect=True)
def test_an_unsigned_package_is_refused(mirror: RpmMirror, tmp_path: Path) -> None:
    run("rpmsign", "--delsign", str(mirror.package("kmod")))
    mirror.index_anew()
    said = refused(mirror, tmp_path / "rootfs")
    assert "kmod-1.0-1" in said
    assert "not signed" in said or "Signature verification failed" in said


@pytest.mark.parametrize("mirror", PACKAGES, indirect=True)
def test_a_package_that_a_stranger_signed_is_refused(mirror: RpmMirror, stranger: Key, tmp_path: Path) -> None:
    run("rpmsign", "--delsign", str(mirror.package("kmod")))
    stranger.sign_packages([mirror.package("kmod")])
    mirror.index_anew()
    said = refused(mirror, tmp_path / "rootfs")
    assert "kmod-1.0-1" in said
    assert "key" in said.lower()


@pytest.mark.parametrize("mirror", PACKAGES, indirect=True)
def test_a_package_that_was_changed_after_it_was_indexed_is_refused(mirror: RpmMirror, tmp_path: Path) -> None:
    package = mirror.package("kmod")
    package.write_bytes(package.read_bytes()[:-8] + bytes(8))
    assert "kmod-1.0-1" in refused(mirror, tmp_path / "rootfs")


@pytest.mark.parametrize("mirror", INDEXES, indirect=True)
def test_an_index_without_a_signature_is_refused(mirror: RpmMirror, tmp_path: Path) -> None:
    mirror.index.with_name("repomd.xml.asc").unlink()
    said = refused(mirror, tmp_path / "rootfs")
    assert "repomd.xml" in said


@pytest.mark.parametrize("mirror", INDEXES, indirect=True)
def test_an_index_that_was_changed_after_it_was_signed_is_refused(mirror: RpmMirror, tmp_path: Path) -> None:
    mirror.index.write_text(mirror.index.read_text().replace("<revision>", "<revision>1"))
    said = refused(mirror, tmp_path / "rootfs")
    assert "signature" in said.lower() or "gpg" in said.lower()


@pytest.mark.parametrize("mirror", INDEXES, indirect=True)
def test_a_key_that_a_mirror_offers_about_itself_is_not_trusted(
    mirror: RpmMirror, stranger: Key, tmp_path: Path
) -> None:
    """The stranger signs everything, and lays his key beside it: repomd.xml.key."""
    for package in mirror.repository.glob("*.rpm"):
        run("rpmsign", "--delsign", str(package))
    stranger.sign_packages(sorted(mirror.repository.glob("*.rpm")))
    mirror.index_anew()
    stranger.sign_index(mirror.repository)
    said = refused(mirror, tmp_path / "rootfs")
    assert "signature" in said.lower() or "gpg" in said.lower()


def test_a_key_whose_fingerprint_is_not_the_pinned_one_is_never_used(
    mirror_of: Callable[[str, str], RpmMirror], stranger: Key, tmp_path: Path
) -> None:
    mirror = mirror_of("fedora", "44")
    assert mirror.key is not None
    distros = describe_distros(tmp_path / "distros", mirror.key, "fedora")
    file = distros / "fedora/keys/RPM-GPG-KEY-fedora-44-primary"
    file.write_bytes(stranger.public.read_bytes())
    arguments = mirror.arguments(tmp_path / "rootfs")
    arguments[arguments.index("--distros-dir") + 1] = str(distros)
    done = mirror.run(arguments, tmp_path / "rootfs")
    assert done.status == 2, done.err
    assert stranger.fingerprint.lower() in done.err
    assert mirror.key.fingerprint.lower() in done.err
