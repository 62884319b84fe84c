"""Whatever a file that the suite reads is, or holds: it is judged, or "could not look" is said of it."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from rootfs_kit.suite.verdict import State
from tests.hostile.conftest import rich_guest
from tests.hostile.survey import states, survey
from tests.support.requirements import needs_program, needs_root

pytestmark = needs_program("cc", "depmod")

MIB = 1 << 20
ESCAPES = b"\x1b]0;owned\x07\n::error::owned\n##[error]owned\r\x9b31m\xff\xfe\n"
LAUGHS = b"a: &a [lol, lol]\n" + b"".join(
    b"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n" % ((letter, letter) + (letter - 1,) * 8)
    for letter in range(ord("b"), ord("z"))
)
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "noise": random.Random(7).randbytes(64 * 1024),
    "zeros": bytes(MIB),
    "a million empty lines": b"\n" * MIB,
    "one line of a million letters": b"a" * MIB,
    "one line of a million spaces": b" " * MIB + b"x",
    "escapes": ESCAPES * 50,
    "JSON nested without end": b"[" * 200_000,
    "objects nested without end": b'{"a":' * 100_000,
    "YAML nested without end": b"- " * 30_000,
    "a billion laughs": LAUGHS,
    "merge keys": b"a: &a {x: 1}\n" + b"".join(b"m%d: &m%d {<<: [*a, *a]}\n" % (n, n) for n in range(500)),
    "continuation lines": b"[Unit]\nRequires=\\\n" * 50_000,
    "the head of a program": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\xff" * 4000,
    "a module index": b"\xb0\x07\xf4\x57\x00\x02\x00\x01\x20\x00\x00\x0c" + b"\x00\xff" + b"\x60\x00\x00\x0e" * 256,
    "a sqlite database of nothing": b"SQLite format 3\0" + b"\x10\x00\x01\x01" + b"\xff" * 8000,
}


def a_fifo(place: Path) -> None:
    os.mkfifo(place)


def a_socket(place: Path) -> None:
    here = os.open(place.parent, os.O_RDONLY)
    try:  # the address of a socket may hold a hundred characters only
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(f"/proc/self/fd/{here}/{place.name}")
    finally:
        os.close(here)


def a_device(place: Path) -> None:
    os.mknod(place, 0o20666, os.makedev(1, 5))  # /dev/zero: reading it never ends


def a_terabyte(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(1 << 40)


def a_link_to_itself(place: Path) -> None:
    place.symlink_to(place.name)


def a_directory(place: Path) -> None:
    place.mkdir()


KINDS = [
    pytest.param(a_fifo, id="FIFO"),
    pytest.param(a_socket, id="socket"),
    pytest.param(a_device, id="device", marks=needs_root()),
    pytest.param(a_terabyte, id="terabyte"),
    pytest.param(a_link_to_itself, id="loop"),
    pytest.param(a_directory, id="directory"),
]


def replace_all(guest: Path, paths: tuple[str, ...], make: Callable[[Path], None]) -> None:
    for path in paths:
        place = guest / path.lstrip("/")
        mode = place.lstat().st_mode & 0o7777
        place.unlink()
        make(place)
        if not place.is_symlink():
            place.chmod(mode)


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_every_file_holds(guest: Path, read_by_the_suite: tuple[str, ...], content: bytes) -> None:
    replace_all(guest, read_by_the_suite, lambda place: place.write_bytes(content) and None)
    verdict = survey(guest, profile="systemd,policy,confidential,modules,initrd,debug-console")
    assert not verdict.conforms


@pytest.mark.parametrize("make", KINDS)
def test_every_file_is(guest: Path, read_by_the_suite: tuple[str, ...], make: Callable[[Path], None]) -> None:
    replace_all(guest, read_by_the_suite, make)
    verdict = survey(guest, profile="systemd,policy,confidential,modules,initrd,debug-console")
    assert not verdict.conforms


@pytest.mark.slow
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_each_file_on_its_own_holds(tmp_path: Path, read_by_the_suite: tuple[str, ...], content: bytes) -> None:
    """With all others as they should be, the suite gets further than where everything is broken."""
    guest = rich_guest(tmp_path / "guest")
    for path in read_by_the_suite:
        place = guest / path.lstrip("/")
        before = place.read_bytes()
        place.write_bytes(content)
        survey(guest)
        place.write_bytes(before)


@pytest.mark.slow
@pytest.mark.parametrize("make", KINDS)
def test_each_file_on_its_own_is(
    tmp_path: Path, read_by_the_suite: tuple[str, ...], make: Callable[[Path], None]
) -> None:
    for number, path in enumerate(read_by_the_suite):
        guest = rich_guest(tmp_path / f"guest-{number}")
        replace_all(guest, (path,), make)
        survey(guest)


@pytest.mark.parametrize(
    ("path", "checks"),
    [
        ("/var/lib/dpkg/status", {"PKG-01"}),
        ("/var/lib/osbuilder/manifest.json", {"AGT-01", "PKG-02"}),
        ("/etc/chrony/chrony.conf", {"TIM-01", "TIM-02"}),
        ("/usr/lib/systemd/system/kata-agent.service", {"UNT-01"}),
    ],
)
def test_a_file_that_cannot_be_read_is_unknown_to_the_checks_that_need_it(
    guest: Path, path: str, checks: set[str]
) -> None:
    replace_all(guest, (path,), a_terabyte)
    verdict = survey(guest)
    assert checks <= states(verdict, State.UNKNOWN)
    assert verdict.exit_code != 0
