"""A tree that changes while it is judged: what is said of it may be old, but nothing breaks and nothing hangs."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree import open_rootfs
from tests.hostile.survey import survey
from tests.support.limits import within
from tests.support.requirements import needs_program

pytestmark = needs_program("cc", "depmod")

WATCHED = (
    "var/lib/dpkg/status", "etc/hosts", "usr/bin/kata-agent", "usr/lib/systemd/system/kata-agent.service",
    "var/lib/osbuilder/osbuilder.yaml", "etc/chrony/chrony.conf", "lib/modules/6.1.0-made/modules.dep",
)  # fmt: skip


def cut_and_grow(place: Path) -> None:
    with suppress(OSError), place.open("r+b") as file:
        file.truncate(random.randrange(1 + place.stat().st_size))
        file.seek(0, os.SEEK_END)
        file.write(os.urandom(512))


def become_a_fifo(place: Path) -> None:
    with suppress(OSError):
        content, mode = place.read_bytes() if place.is_file() else b"x", 0o755
        place.unlink()
        os.mkfifo(place)
        place.unlink()
        place.write_bytes(content)
        place.chmod(mode)


def become_a_directory(place: Path) -> None:
    with suppress(OSError):
        content = place.read_bytes()
        place.unlink()
        place.mkdir()
        place.rmdir()
        place.write_bytes(content)


@contextmanager
def changing(root: Path, change: Callable[[Path], None]) -> Iterator[None]:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            change(root / random.choice(WATCHED))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("change", [cut_and_grow, become_a_fifo, become_a_directory])
def test_tree_that_changes_while_it_is_judged(guest: Path, change: Callable[[Path], None]) -> None:
    with changing(guest, change):
        for _ in range(5):
            assert survey(guest).results


def test_file_that_became_a_fifo_after_the_scan_is_not_read(guest: Path) -> None:
    tree = open_rootfs(guest)
    assert tree.file("/etc/hosts").is_file
    (guest / "etc/hosts").unlink()
    os.mkfifo(guest / "etc/hosts")
    with within(20), pytest.raises(CouldNotLook, match="no regular file any more"):
        tree.read_bytes("/etc/hosts")


def test_file_that_grew_after_the_scan_is_refused_like_a_large_one(guest: Path) -> None:
    tree = open_rootfs(guest)
    assert tree.file("/etc/hosts").size < 100
    os.truncate(guest / "etc/hosts", 1 << 40)
    with within(20), pytest.raises(CouldNotLook, match="more than the 16777216 bytes"):
        tree.file("/etc/hosts").read_text()


def test_tree_that_vanishes_after_the_scan_could_not_be_looked_at(guest: Path) -> None:
    tree = open_rootfs(guest)
    assert tree.exists("/etc/hosts")
    os.rename(guest / "etc", guest.with_name("gone"))
    with pytest.raises(CouldNotLook, match="No such file"):
        tree.read_bytes("/etc/hosts")
