"""A mirror that is out of order, or lies, to a host that has apk: clear words, the next mirror, nothing half-built."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from tests.alpine.builds import Alpine, host_has_apk
from tests.build.builds import left_behind
from tests.support.apk_files import make_signer
from tests.support.debian_archive import served

Break = Callable[[Alpine], None]
PRIMARY = '"https://dl-cdn.alpinelinux.org/alpine",'


def _package(alpine: Alpine, name: str) -> Path:
    return next(alpine.mirror.main.glob(f"{name}-[0-9]*.apk"))


def _damage(name: str, at: float, alpine: Alpine) -> None:
    """Turn one byte of a package into another, `at` a part of its length."""
    package = _package(alpine, name)
    content = bytearray(package.read_bytes())
    content[int(len(content) * at)] ^= 0xFF
    package.write_bytes(content)


def _cut(name: str, alpine: Alpine) -> None:
    package = _package(alpine, name)
    package.write_bytes(package.read_bytes()[: package.stat().st_size // 2])


def _lose(name: str, alpine: Alpine) -> None:
    _package(alpine, name).unlink()


def _forget(name: str, alpine: Alpine) -> None:
    """The index is whole and signed, and the package that others depend on is in none."""
    _lose(name, alpine)
    alpine.mirror.index(alpine.mirror.main)


def _sign_anew(name: str, alpine: Alpine) -> None:
    """Let somebody else sign: by a name of their own, or by the right one."""
    signer = make_signer(alpine.mirror.directory.parent / "stranger", name=name)
    alpine.mirror.index(alpine.mirror.main, signer)


def _serve_garbage(alpine: Alpine) -> None:
    (alpine.mirror.main / "APKINDEX.tar.gz").write_text("<html>Sign in to this network</html>")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (partial(_damage, "busybox", 0.7), ("busybox",)),
        (partial(_damage, "musl", 0.9), ("musl",)),
        (partial(_cut, "libcrypto3"), ("libcrypto3",)),
        (partial(_lose, "bash"), ("bash",)),
        (partial(_forget, "zlib"), ("so:libz.so.1 (no such package)",)),
        (partial(_sign_anew, "stranger@example.org-1.rsa.pub"), ("UNTRUSTED signature",)),
        (partial(_sign_anew, "tests@example.org-4d3c2b1a.rsa.pub"), ("BAD signature",)),
        (_serve_garbage, ("APKINDEX.tar.gz",)),
    ],
    ids=["damaged", "damaged at its end", "cut", "missing", "dependency missing", "unknown key", "wrong signature",
         "garbage"],
)  # fmt: skip
def test_a_broken_mirror_is_told_and_leaves_nothing(
    copied: Alpine, tmp_path: Path, broken: Break, words: tuple[str, ...]
) -> None:
    broken(copied)
    done = copied.build(tmp_path / "rootfs", "-q")
    assert done.status == 3
    # A mirror without an index is left before apk is asked.
    assert re.search(r"running apk(\.static)?: it ended with exit status [1-9]|asking the mirror", done.err)
    for word in words:
        assert word in done.err
    assert not (tmp_path / "rootfs").exists()
    assert left_behind(tmp_path / "rootfs") == []


def test_a_mirror_that_lacks_the_index_is_told_at_once(copied: Alpine, tmp_path: Path) -> None:
    (copied.mirror.main / "APKINDEX.tar.gz").unlink()
    done = copied.build(tmp_path / "rootfs", "-q")
    assert done.status == 3
    assert f"asking the mirror {copied.url}: 404" in done.err
    assert not (tmp_path / "rootfs").exists()


def test_a_control_member_that_was_changed_is_refused(copied: Alpine, tmp_path: Path) -> None:
    """The package is whole, and signed by the right key; the index names another."""
    package = next(each for each in copied.mirror.minirootfs.packages() if each.name == "busybox")
    copied.mirror.add(replace(package, scripts={".post-install": b"#!/bin/sh\ntouch /ran\n"}), copied.mirror.main)
    done = copied.build(tmp_path / "rootfs", "-q")
    assert done.status == 3
    assert "busybox" in done.err
    assert not (tmp_path / "rootfs").exists()


def test_an_index_that_is_refused_is_not_done_without(copied: Alpine, tmp_path: Path) -> None:
    """apk would go on with the packages of the other repositories, and say no more than a warning."""
    stranger = make_signer(tmp_path / "stranger", name="stranger@example.org-1.rsa.pub")
    copied.mirror.index(copied.mirror.community, stranger)
    done = copied.build(tmp_path / "rootfs", "-q")
    assert done.status == 3
    assert "UNTRUSTED signature" in done.err
    assert not (tmp_path / "rootfs").exists()


class Failing(SimpleHTTPRequestHandler):
    """Answers with an error of its own."""

    status = 503

    def do_GET(self) -> None:
        self.send_error(self.status)


class Gone(Failing):
    status = 404


class HangingUp(SimpleHTTPRequestHandler):
    """Promises more than it sends."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"\x1f\x8b\x08" + bytes(1000))


class Stalling(SimpleHTTPRequestHandler):
    """Sends the beginning, and then nothing for a long time."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"\x1f\x8b\x08")
        self.wfile.flush()
        time.sleep(60)


class Silent(SimpleHTTPRequestHandler):
    """Hangs up before a word is said."""

    def do_GET(self) -> None:
        self.close_connection = True


def _with_mirrors(alpine: Alpine, directory: Path, *mirrors: str) -> Alpine:
    """The same with mirrors that its distro.toml names, and none on the command line."""
    named = alpine.described(directory, (PRIMARY, "".join(f'"{mirror}", ' for mirror in mirrors)))
    return replace(named, url="")


@pytest.mark.parametrize("handler", [Failing, Gone, HangingUp, Silent])
def test_the_next_mirror_takes_over(alpine: Alpine, tmp_path: Path, handler: type[SimpleHTTPRequestHandler]) -> None:
    with served(tmp_path, handler) as broken:
        host = _with_mirrors(alpine, tmp_path / "described", f"{broken}/alpine", alpine.url)
        done = host.build(tmp_path / "rootfs")
    assert done.status == 0, done.err
    assert re.search(f"warning: {broken}/alpine: .*; trying the next mirror", done.err)
    assert os.readlink(tmp_path / "rootfs/bin/sh") == "/bin/busybox"


@pytest.mark.skipif(host_has_apk(), reason="needs a host that has no apk")
@pytest.mark.parametrize("handler", [Failing, Gone, HangingUp, Silent])
def test_the_next_mirror_takes_over_for_apk_itself(
    host: Alpine, tmp_path: Path, handler: type[SimpleHTTPRequestHandler]
) -> None:
    with served(tmp_path, handler) as broken:
        named = _with_mirrors(host, tmp_path / "described", f"{broken}/alpine", host.url)
        done = named.build(tmp_path / "rootfs")
    assert done.status == 0, done.err
    assert re.search(f"warning: {broken}/alpine: .*; trying the next mirror", done.err)
    assert (tmp_path / "rootfs/bin/bash").is_file()


@pytest.mark.slow
def test_a_mirror_that_says_nothing_is_left(alpine: Alpine, tmp_path: Path) -> None:
    """apk gives up after half a minute without a byte."""
    with served(tmp_path, Stalling) as broken:
        host = _with_mirrors(alpine, tmp_path / "described", f"{broken}/alpine", alpine.url)
        done = host.build(tmp_path / "rootfs")
    assert done.status == 0, done.err
    assert f"warning: {broken}/alpine: " in done.err
