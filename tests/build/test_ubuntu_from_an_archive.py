"""Ubuntu is built by the real mmdebstrap from an archive that has Ubuntu's names and a signature of the tests' own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.builds import Outcome, left_behind, manifest
from tests.support.agents import stand_in_agent
from tests.support.debian_archive import NEEDED_TOOLS, Archive, make_archive, served
from tests.support.requirements import needs_program, needs_root
from tests.support.surroundings import PROJECT, clean_environment

pytestmark = [needs_root(), needs_program(*NEEDED_TOOLS)]
RESOLUTE = 'ID=ubuntu\nVERSION_ID="26.04"\nVERSION_CODENAME=resolute\nPRETTY_NAME="Ubuntu 26.04 LTS"\n'
SECONDS = 120


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """It has the three suites that a release has, and for noble it gives resolute."""
    made = make_archive(tmp_path_factory.mktemp("ubuntu"), "resolute", RESOLUTE)
    dists = made.directory / "dists"
    for suite in ("resolute-updates", "resolute-security", "noble"):
        shutil.copytree(dists / "resolute", dists / suite)
        release = dists / suite / "Release"
        release.write_text(release.read_text().replace("Codename: resolute", f"Codename: {suite}"))
        (dists / suite / "InRelease").unlink()
        Archive(made.directory, made.keyring, made.secret, suite=suite).sign()
    return made


@pytest.fixture(scope="module")
def mirror(archive: Archive) -> Iterator[str]:
    with served(archive.directory) as url:
        yield url


def described(directory: Path, archive: Archive, mirrors: str) -> Path:
    """Ubuntu as we describe it, but for the test's key and mirrors."""
    shutil.copytree(PROJECT / "distros/ubuntu", directory / "ubuntu")
    description = directory / "ubuntu/distro.toml"
    text = description.read_text()
    begun, ended = text.index("[[key]]"), text.index("# end-of-life")
    text = text[:begun] + text[ended:]
    begun, ended = text.index("mirrors ="), text.index("suites =")
    description.write_text(f'{text[:begun]}mirrors = ["{mirrors}"]\nkeyrings = ["keys.gpg"]\n{text[ended:]}')
    shutil.copy(archive.keyring, directory / "ubuntu/keys.gpg")
    return directory


def build(distros: Path | None, target: Path, *more: str) -> Outcome:
    named = ("--distros-dir", str(distros)) if distros else ()
    done = subprocess.run(
        [
            sys.executable, "-m", "rootfs_kit", "build", "ubuntu", *named, "--agent-bin", str(stand_in_agent()),
            "--rootfs-dir", str(target), *more,
        ],
        cwd=target.parent, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("options", [(), ("--agent-init",)], ids=["systemd", "agent-init"])
def test_the_current_lts_becomes_a_guest_that_passes_its_checks(
    tmp_path: Path, archive: Archive, mirror: str, options: tuple[str, ...]
) -> None:
    done = build(described(tmp_path / "distros", archive, mirror), tmp_path / "rootfs", "--json", *options)
    assert done.status == 0, done.err
    said = json.loads(done.out)
    assert (said["distro"], said["release"], said["checks"]["failed"]) == ("ubuntu", "resolute", 0)
    assert manifest(tmp_path / "rootfs")["distro"]["release"] == "resolute"


def test_updates_and_security_are_asked_of_our_own_mirrors(tmp_path: Path, archive: Archive, mirror: str) -> None:
    lacking = shutil.copytree(archive.directory, tmp_path / "lacking")
    shutil.rmtree(lacking / "dists/resolute-security")
    with served(lacking) as url:
        refused = build(described(tmp_path / "of-lacking", archive, url), tmp_path / "rootfs")
        assert refused.status == 3
        assert "resolute-security" in refused.err
        named = build(described(tmp_path / "distros", archive, mirror), tmp_path / "rootfs", "--mirror", url, "-q")
        assert (named.status, named.err) == (0, "")


def test_a_mirror_that_serves_another_release_is_refused(tmp_path: Path, archive: Archive, mirror: str) -> None:
    distros = described(tmp_path / "distros", archive, mirror)
    done = build(distros, tmp_path / "rootfs", "--os-version", "24.04", "--mirror", mirror)
    assert done.status == 3
    assert "the tree calls itself Ubuntu 26.04 LTS" in done.err
    assert not (tmp_path / "rootfs").exists()


def test_a_signature_by_another_key_than_ubuntus_is_refused(tmp_path: Path, mirror: str) -> None:
    done = build(None, tmp_path / "rootfs", "--mirror", mirror)
    assert done.status == 3
    assert "NO_PUBKEY" in done.err
    assert not (tmp_path / "rootfs").exists()
    assert left_behind(tmp_path / "rootfs") == []
