"""A host without apk fetches apk.static from the mirror; nothing of it runs before it was verified."""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.alpine.builds import Alpine, host_has_apk
from tests.build.builds import left_behind
from tests.support.apk_files import Package, data_member, file, make_signer, with_parents

pytestmark = pytest.mark.skipif(host_has_apk(), reason="needs a host that has no apk")

PACKAGE = "apk-tools-static"


def _package(host: Alpine) -> Path:
    (found,) = host.mirror.main.glob(f"{PACKAGE}-*.apk")
    return found


def _kept(host: Alpine) -> list[Path]:
    return sorted((host.cache / "rootfs-kit/apk-static").glob("*.apk"))


def _refuses(host: Alpine, target: Path, *words: str) -> None:
    done = host.build(target, "-q")
    assert done.status == 3, done.err
    for word in words:
        assert word in done.err
    assert not target.exists()
    assert left_behind(target) == []
    assert _kept(host) == []


def _with_program(host: Alpine, program: bytes) -> Package:
    version = _package(host).name.removeprefix(f"{PACKAGE}-").removesuffix(".apk")
    return Package(PACKAGE, version, with_parents([file("sbin/apk.static", program, 0o755)]))


def test_a_guest_is_built_with_the_apk_that_was_fetched(host: Alpine, tmp_path: Path) -> None:
    done = host.build(tmp_path / "rootfs", "-v")
    assert done.status == 0, done.err
    assert "/apk.static add --root" in done.err
    assert "0 failed" in done.out
    assert os.readlink(tmp_path / "rootfs/bin/sh") == "/bin/busybox"
    assert left_behind(tmp_path / "rootfs") == []


def test_the_verified_package_is_kept_and_not_fetched_again(host: Alpine, tmp_path: Path) -> None:
    assert host.build(tmp_path / "rootfs", "-q").status == 0
    (kept,) = _kept(host)
    assert kept.read_bytes() == _package(host).read_bytes()
    _package(host).unlink()
    done = host.build(tmp_path / "again", "-q")
    assert done.status == 0, done.err


def test_a_package_that_was_damaged_in_the_cache_is_fetched_anew(host: Alpine, tmp_path: Path) -> None:
    assert host.build(tmp_path / "rootfs", "-q").status == 0
    (kept,) = _kept(host)
    good = kept.read_bytes()
    kept.write_bytes(good[:-100] + b"\0" * 100)
    done = host.build(tmp_path / "again", "-q")
    assert done.status == 0, done.err
    assert kept.read_bytes() == good


def test_a_cache_that_cannot_be_written_is_told(host: Alpine, tmp_path: Path) -> None:
    host.cache.write_text("a file")
    _refuses(host, tmp_path / "rootfs", "keeping apk-tools-static in", "XDG_CACHE_HOME")


def test_an_unsigned_index_is_refused(host: Alpine, tmp_path: Path) -> None:
    index = host.mirror.main / "APKINDEX.tar.gz"
    signed = index.read_bytes()
    second = signed.index(gzip.compress(b"")[:3], 10)
    index.write_bytes(signed[second:])
    _refuses(host, tmp_path / "rootfs", "verifying the index of", "it is not signed")


def test_an_index_signed_by_a_key_that_is_not_trusted_is_refused(host: Alpine, tmp_path: Path) -> None:
    stranger = make_signer(tmp_path / "stranger", name="stranger@example.org-1.rsa.pub")
    host.mirror.index(host.mirror.main, stranger)
    _refuses(host, tmp_path / "rootfs", "it is signed by a key that is not trusted: stranger@example.org-1.rsa.pub")


def test_an_index_signed_by_another_key_of_the_same_name_is_refused(host: Alpine, tmp_path: Path) -> None:
    host.mirror.index(host.mirror.main, make_signer(tmp_path / "impostor"))
    _refuses(host, tmp_path / "rootfs", "the signature by", "is wrong")


def test_a_package_with_other_data_is_refused(host: Alpine, tmp_path: Path) -> None:
    """The control member is the one that the index names; what it tells of the data does not fit them."""
    package = _package(host)
    other = data_member(_with_program(host, b"#!/bin/sh\ntouch /tmp/ran\n"))
    good = package.read_bytes()
    package.write_bytes(good[: _start_of_data(good)] + other)
    _refuses(host, tmp_path / "rootfs", "its data was changed")


def test_a_package_with_another_control_member_is_refused(host: Alpine, tmp_path: Path) -> None:
    """Whole and signed by the right key, and still not what the index names: an older one, for instance."""
    host.mirror.add(_with_program(host, b"#!/bin/sh\ntouch /tmp/ran\n"), host.mirror.main)
    _refuses(host, tmp_path / "rootfs", "it is not the package of which the index tells")


def test_a_package_without_the_program_is_refused(host: Alpine, tmp_path: Path) -> None:
    package = replace(_with_program(host, b""), contents=(file("nothing", b""),))
    host.mirror.add(package, host.mirror.main)
    host.mirror.index(host.mirror.main)
    _refuses(host, tmp_path / "rootfs", "there is no sbin/apk.static in it")


def test_a_package_that_breaks_off_is_refused(host: Alpine, tmp_path: Path) -> None:
    package = _package(host)
    package.write_bytes(package.read_bytes()[:-1000])
    _refuses(host, tmp_path / "rootfs", "its data was changed")


def test_a_mirror_without_it_is_told(copied: Alpine, tmp_path: Path) -> None:
    host = copied.without_apk()
    _refuses(host, tmp_path / "rootfs", "looking for apk-tools-static", "it is in none of the indexes", "Install apk")


def test_the_index_of_apk_3_alone_is_told(host: Alpine, tmp_path: Path) -> None:
    (host.mirror.main / "APKINDEX.tar.gz").rename(host.mirror.main / "Packages.adb")
    _refuses(host, tmp_path / "rootfs", "there is only Packages.adb, the index of apk 3", "Install apk")


def test_a_mirror_of_something_else_is_told(host: Alpine, tmp_path: Path) -> None:
    (host.mirror.main / "APKINDEX.tar.gz").unlink()
    _refuses(host, tmp_path / "rootfs", "404 File not found for", "main/x86_64/APKINDEX.tar.gz", "--mirror")


def test_a_key_that_was_changed_is_refused_before_anything_is_fetched(host: Alpine, tmp_path: Path) -> None:
    described = host.described(tmp_path / "described")
    (key,) = (described.distros / "alpine/keys").glob("tests@*")
    key.write_bytes(make_signer(tmp_path / "impostor").public.read_bytes())
    done = described.build(tmp_path / "rootfs", "-q")
    assert done.status == 2
    assert "it is not the file that is pinned" in done.err
    assert not (tmp_path / "rootfs").exists()


def test_the_next_mirror_is_asked_where_one_lies(host: Alpine, alpine: Alpine, tmp_path: Path) -> None:
    release = host.mirror.minirootfs.release
    liar = tmp_path / "liar/alpine"
    (liar / f"v{release}/main/x86_64").mkdir(parents=True)
    (liar / f"v{release}/main/x86_64/APKINDEX.tar.gz").write_text("<html>Sign in to this network</html>")
    first = '"https://dl-cdn.alpinelinux.org/alpine",'
    named = host.described(tmp_path / "described", (first, f'"file://{liar}", "{host.url}",'))
    done = replace(named, url="").build(tmp_path / "rootfs")
    assert done.status == 0, done.err
    assert f"file://{liar}" in done.err
    assert "it is no gzip file" in done.err


def _start_of_data(package: bytes) -> int:
    """Where the third gzip member begins."""
    rest = package
    for _ in range(2):
        inflater = zlib.decompressobj(wbits=31)
        inflater.decompress(rest)
        rest = inflater.unused_data
    return len(package) - len(rest)
