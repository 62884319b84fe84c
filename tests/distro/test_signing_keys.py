"""Every key that is shipped is the one that its description names; any other is refused before it is used."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from rootfs_kit.distro import Distro, SigningKey
from rootfs_kit.distro.search import discover
from rootfs_kit.distro.signing_keys import openpgp_fingerprints, require_pinned_keys
from rootfs_kit.errors import UsageError
from tests.support.requirements import needs_program

OPENPGP = 40
"""Hexadecimal digits of an OpenPGP fingerprint; a digest of a file has more."""

SHIPPED = [
    pytest.param(distro, key, id=f"{distro.name} {key.file.name}")
    for distro in discover()
    for key in distro.keys
    if len(key.fingerprint) == OPENPGP
]
RPM_DISTROS = [distro for distro in discover() if distro.backend in ("dnf", "tdnf", "zypper")]


@needs_program("gpg")
@pytest.mark.parametrize(("distro", "key"), SHIPPED)
def test_gpg_finds_the_pinned_fingerprint_in_the_shipped_file(distro: Distro, key: SigningKey, tmp_path: Path):
    assert gpg_fingerprints(key.file, tmp_path) == [key.fingerprint]
    assert openpgp_fingerprints(key.file.read_bytes()) == [key.fingerprint]
    require_pinned_keys([key])


@pytest.mark.parametrize("distro", RPM_DISTROS, ids=lambda distro: distro.name)
def test_every_release_has_a_key_and_every_file_is_described(distro: Distro):
    assert {key.file.name for key in distro.keys} == {
        file.name for file in (distro.directory / "keys").iterdir() if file.suffix != ".md"
    }
    for release in distro.releases:
        assert [key for key in distro.keys if not key.releases or release.name in key.releases], release.name
    assert {name for key in distro.keys for name in key.releases} <= {release.name for release in distro.releases}


def test_another_key_is_refused_with_both_fingerprints():
    pinned, other = _some_keys()
    with pytest.raises(UsageError) as caught:
        require_pinned_keys([SigningKey(other.file, pinned.fingerprint)])
    assert other.fingerprint in caught.value.found
    assert pinned.fingerprint in caught.value.found


def test_a_second_key_in_the_file_is_refused(tmp_path: Path):
    pinned, other = _some_keys()
    both = tmp_path / "both"
    both.write_bytes(pinned.file.read_bytes() + other.file.read_bytes())
    assert openpgp_fingerprints(both.read_bytes()) == [pinned.fingerprint, other.fingerprint]
    with pytest.raises(UsageError, match=r"it holds \w+ and \w+"):
        require_pinned_keys([SigningKey(both, pinned.fingerprint)])


@pytest.mark.parametrize(
    "content",
    [b"", b"no key", b"\xc6", b"\x99\x01", b"\xc6\xff\xff\xff\xff\xff", b"-----BEGIN PGP PUBLIC KEY BLOCK-----"],
)
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes):
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="it is no OpenPGP key"):
        require_pinned_keys([SigningKey(file, "0" * OPENPGP)])


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path):
    pinned, _ = _some_keys()
    file = tmp_path / "key"
    text = pinned.file.read_text()
    file.write_text(text[: len(text) // 2])
    with pytest.raises(UsageError):
        require_pinned_keys([SigningKey(file, pinned.fingerprint)])


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match="No such file") as caught:
        require_pinned_keys([SigningKey(tmp_path / "gone", "0" * OPENPGP)])
    assert str(tmp_path / "gone") in caught.value.doing


def test_keys_of_other_kinds_are_not_for_this_check(tmp_path: Path):
    """Neither file is there, which is only told of a key whose fingerprint is OpenPGP's."""
    require_pinned_keys([SigningKey(tmp_path / "key.rsa.pub", "0" * 64)])
    with pytest.raises(UsageError, match="No such file"):
        require_pinned_keys([SigningKey(tmp_path / "key.asc", "0" * OPENPGP)])


def gpg_fingerprints(file: Path, home: Path) -> list[str]:
    command = ["gpg", "--homedir", str(home), "--batch", "--show-keys", "--with-colons", str(file)]
    listed = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    records = [line.split(":") for line in listed.splitlines()]
    # The record after that of a primary key has its fingerprint (gnupg's doc/DETAILS).
    return [after[9].lower() for record, after in pairwise(records) if record[0] == "pub"]


def _some_keys() -> tuple[SigningKey, SigningKey]:
    keys = [key for distro in RPM_DISTROS for key in distro.keys]
    return keys[0], keys[1]
