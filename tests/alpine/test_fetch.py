"""Fetching apk.static from a repository in miniature: which package is taken, for which machine, and what is kept."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace

import pytest

from rootfs_kit.backends import PinnedFile
from rootfs_kit.backends.apk_static import ApkStatic
from rootfs_kit.download import Patience
from rootfs_kit.errors import BuildFailed, UsageError
from tests.support.apk_files import Package, Signer, control_member, data_member, file, gzipped, make_signer, tar
from tests.support.debian_archive import served
from tests.support.requirements import needs_program

pytestmark = needs_program("openssl")
NAME = "apk-tools-static"
ARCHITECTURES = {"x86_64": "x86_64", "armv7l": "armv7", "aarch64": "aarch64"}


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return make_signer(tmp_path_factory.mktemp("key"))


@pytest.fixture
def repository(tmp_path: Path, signer: Signer) -> Path:
    """One for two machines, with a program that says which it is for."""
    for arch in ("x86_64", "armv7"):
        _publish(tmp_path / "main" / arch, signer, {"2.14.4-r1": arch.encode(), "2.14.4-r0": b"an older one"})
    return tmp_path / "main"


@pytest.fixture
def fetch(repository: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> ApkStatic:
    _be(monkeypatch, "x86_64")
    pinned = PinnedFile(signer.public, hashlib.sha256(signer.public.read_bytes()).hexdigest())
    return ApkStatic((repository.as_uri(),), (pinned,), ARCHITECTURES, Patience(attempts=1))


def _be(monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))


def _publish(directory: Path, signer: Signer, programs: dict[str, bytes]) -> None:
    """Packages by version, each with a program of that content, and their index."""
    directory.mkdir(parents=True)
    stanzas = []
    for version, program in programs.items():
        package = Package(NAME, version, (file("sbin/apk.static", program, 0o755),))
        data = data_member(package)
        control = control_member(package, hashlib.sha256(data).hexdigest())
        (directory / package.file_name).write_bytes(signer.signed(control) + data)
        checksum = base64.b64encode(hashlib.sha1(control).digest()).decode()
        stanzas.append(f"C:Q1{checksum}\nP:{NAME}\nV:{version}\nA:x86_64\n")
    index = gzipped(tar([file("DESCRIPTION", b""), file("APKINDEX", "\n".join(stanzas).encode())]))
    (directory / "APKINDEX.tar.gz").write_bytes(signer.signed(index))


def _into(tmp_path: Path, name: str = "into") -> Path:
    directory = tmp_path / name
    directory.mkdir()
    return directory


def test_the_newest_program_is_laid_ready_to_be_executed(fetch: ApkStatic, tmp_path: Path) -> None:
    program = fetch(tmp_path / "cache", _into(tmp_path))
    assert program.read_bytes() == b"x86_64"
    assert program.parent == tmp_path / "into"
    assert program.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("machine", ["armv7l", "armv8l"])
def test_the_program_is_for_this_hosts_machine(
    fetch: ApkStatic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    _be(monkeypatch, machine)
    assert fetch(tmp_path / "cache", _into(tmp_path)).read_bytes() == b"armv7"


def test_a_machine_that_alpine_is_not_made_for_is_told(
    fetch: ApkStatic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _be(monkeypatch, "sparc64")
    with pytest.raises(BuildFailed, match="there is none for this host's machine, sparc64"):
        fetch(tmp_path / "cache", _into(tmp_path))


def test_the_next_repository_is_looked_into(fetch: ApkStatic, signer: Signer, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    _publish(empty / "x86_64", signer, {})
    both = replace(fetch, repositories=(empty.as_uri(), *fetch.repositories))
    assert both(tmp_path / "cache", _into(tmp_path)).read_bytes() == b"x86_64"
    with pytest.raises(BuildFailed, match="it is in none of the indexes of file://"):
        replace(fetch, repositories=(empty.as_uri(),))(tmp_path / "cache", _into(tmp_path, "other"))


def test_a_key_that_is_none_is_told(fetch: ApkStatic, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.rsa.pub"
    wrong.write_text("no key")
    pinned = PinnedFile(wrong, hashlib.sha256(b"no key").hexdigest())
    with pytest.raises(UsageError, match="it is no public key in PEM form"):
        replace(fetch, keys=(pinned,))(tmp_path / "cache", _into(tmp_path))


@contextmanager
def _counted(directory: Path) -> Iterator[tuple[str, list[str]]]:
    """The address at which `directory` is served, and what was asked of it."""
    asked: list[str] = []

    class Counting(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(Path(self.path).name)
            super().do_GET()

    with served(directory, Counting) as url:
        yield url, asked


def test_builds_at_the_same_time_fetch_it_once(fetch: ApkStatic, repository: Path, tmp_path: Path) -> None:
    results: list[bytes] = []

    def build(number: int) -> None:
        results.append(at(tmp_path / "cache", _into(tmp_path, f"into-{number}")).read_bytes())

    with _counted(repository.parent) as (url, asked):
        at = replace(fetch, repositories=(f"{url}/main",))
        threads = [threading.Thread(target=build, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [b"x86_64"] * 4
    assert asked.count("apk-tools-static-2.14.4-r1.apk") == 1


def test_a_new_version_is_fetched_beside_the_old(
    fetch: ApkStatic, repository: Path, signer: Signer, tmp_path: Path
) -> None:
    fetch(tmp_path / "cache", _into(tmp_path))
    newer = tmp_path / "newer"
    _publish(newer / "x86_64", signer, {"3.0.1-r0": b"newer"})
    after = replace(fetch, repositories=(newer.as_uri(),))
    assert after(tmp_path / "cache", _into(tmp_path, "other")).read_bytes() == b"newer"
    assert len(list((tmp_path / "cache/apk-static").glob("*.apk"))) == 2


def test_what_is_in_the_cache_is_verified_each_time(fetch: ApkStatic, tmp_path: Path) -> None:
    fetch(tmp_path / "cache", _into(tmp_path))
    (kept,) = (tmp_path / "cache/apk-static").glob("*.apk")
    good = kept.read_bytes()
    kept.write_bytes(good[:-9] + bytes(9))
    assert fetch(tmp_path / "cache", _into(tmp_path, "other")).read_bytes() == b"x86_64"
    assert kept.read_bytes() == good


def test_a_huge_file_in_the_cache_is_not_read(fetch: ApkStatic, tmp_path: Path) -> None:
    fetch(tmp_path / "cache", _into(tmp_path))
    (kept,) = (tmp_path / "cache/apk-static").glob("*.apk")
    good = kept.read_bytes()
    os.truncate(kept, 1 << 40)
    assert fetch(tmp_path / "cache", _into(tmp_path, "other")).read_bytes() == b"x86_64"
    assert kept.read_bytes() == good
