"""The real programs that version rules are compared with, and where the tests find them."""

from __future__ import annotations

import ctypes.util
import subprocess
import tarfile
from pathlib import Path

from tests.support.requirements import third_party_data

ALPINE = "alpine/alpine-minirootfs-3.20.3-x86_64.tar.gz"


def output(*command: str | Path) -> str:
    """What `command` prints; it has to succeed."""
    return subprocess.run(
        [str(word) for word in command], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
    ).stdout


def dpkg_order(a: str, b: str) -> int:
    """dpkg's own answer; its warnings about odd versions do not change it."""
    for order, word in ((-1, "lt"), (0, "eq"), (1, "gt")):
        done = subprocess.run(["dpkg", "--compare-versions", a, word, b], capture_output=True, check=False)
        if done.returncode == 0:
            return order
    raise AssertionError(f"dpkg orders {a!r} and {b!r} in no way")


def rpm_orders(pairs: list[tuple[str, str]]) -> list[int]:
    """rpm's own answers, all from one run; the versions hold no quotes and no per cent signs."""
    calls = " ".join(f"print(rpm.vercmp('{a}', '{b}') .. ' ')" for a, b in pairs)
    return [int(word) for word in output("rpm", "--eval", f"%{{lua: {calls}}}").split()]


LIBALPM = ctypes.util.find_library("alpm")


def pacman_order(a: str, b: str) -> int:
    """The answer of pacman's own library; its vercmp, which asks that too, is not in every distribution's package."""
    return int(ctypes.CDLL(LIBALPM).alpm_pkg_vercmp(a.encode(), b.encode()))


def unpack_alpine(place: Path, tarball: str = ALPINE) -> Path:
    """A real Alpine tree at `place`; skips the calling test where the tarball is not at hand."""
    with tarfile.open(third_party_data() / tarball) as archive:
        archive.extractall(place, filter="tar")
    return place


def apk_order(alpine: Path, a: str, b: str) -> int:
    """The answer of the apk of the tree `alpine`, started through the tree's own loader."""
    loader = next((alpine / "lib").glob("ld-musl-*.so.1"))
    libraries = f"{alpine}/lib:{alpine}/usr/lib"
    sign = output(loader, "--library-path", libraries, alpine / "sbin/apk", "version", "-t", a, b).strip()
    return {"<": -1, "=": 0, ">": 1}[sign]
