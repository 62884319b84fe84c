"""The keys that rootfs-kit ships are Alpine's: as pinned, and as Alpine's own archives have them."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from rootfs_kit.backends.apk_static.rsa import read_public_key
from rootfs_kit.distro import SigningKey
from rootfs_kit.distro.search import find_distro
from tests.support.requirements import third_party_data

ALPINE = find_distro("alpine")
KEYS = pytest.mark.parametrize("key", ALPINE.keys, ids=lambda key: key.file.name)


@KEYS
def test_a_key_is_the_one_that_is_pinned(key: SigningKey) -> None:
    content = key.file.read_bytes()
    assert hashlib.sha256(content).hexdigest() == key.fingerprint
    assert read_public_key(content, key.file.name).modulus.bit_length() in (2048, 4096)


@KEYS
def test_alpines_own_archives_have_the_same_key(key: SigningKey) -> None:
    archives = sorted(third_party_data().glob("alpine/alpine-minirootfs-*.tar.gz"))
    if not archives:
        pytest.skip("needs an Alpine minirootfs archive in the third-party data")
    for archive in archives:
        with tarfile.open(archive) as opened:
            found = opened.extractfile(f"./usr/share/apk/keys/{key.file.name}")
            assert found is not None
            assert found.read() == key.file.read_bytes()


def test_no_file_lies_there_that_is_not_pinned() -> None:
    directory = ALPINE.directory / "keys"
    assert set(directory.iterdir()) == {key.file for key in ALPINE.keys} | {directory / "README"}


@pytest.mark.parametrize(
    ("machine", "count"), [("x86_64", 3), ("aarch64", 2), ("ppc64le", 2), ("riscv64", 2), ("s390x", 2)]
)
def test_every_machine_of_alpines_has_its_keys(machine: str, count: int) -> None:
    archives = sorted(third_party_data().glob("alpine/alpine-minirootfs-*.tar.gz"))
    if not archives:
        pytest.skip("needs an Alpine minirootfs archive in the third-party data")
    with tarfile.open(archives[-1]) as opened:
        directory = f"./usr/share/apk/keys/{ALPINE.architectures[machine]}/"
        names = {Path(name).name for name in opened.getnames() if name.startswith(directory)}
    assert len(names) == count
    assert names <= {key.file.name for key in ALPINE.keys}
