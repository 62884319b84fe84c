"""One-line defects: each takes the root of a good tree and breaks exactly one thing in it."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

Defect = Callable[[Path], None]


def inside(root: Path, path: str) -> Path:
    """`path` of the tree, for a defect that follows links: an absolute one would lead to this machine's own file."""
    place = root / path
    assert place.resolve().is_relative_to(root.resolve()), f"{path} leads out of the tree"
    return place


def removed(path: str) -> Defect:
    """The file, link or directory at `path` is not there."""

    def breaks(root: Path) -> None:
        place = root / path
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()

    return breaks


def linked(path: str, target: str) -> Defect:
    """`path` is a link to `target` instead of whatever it was."""

    def breaks(root: Path) -> None:
        if (root / path).is_symlink() or (root / path).exists():
            removed(path)(root)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)

    return breaks


def written(path: str, content: str | bytes, mode: int = 0o644) -> Defect:
    """`path` is a regular file with this content."""

    def breaks(root: Path) -> None:
        place = root / path
        place.unlink(missing_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        place.chmod(mode)

    return breaks


def appended(path: str, text: str) -> Defect:
    def breaks(root: Path) -> None:
        with inside(root, path).open("a") as file:
            file.write(text)

    return breaks


def replaced(path: str, old: str, new: str) -> Defect:
    """The text `old`, which must be there, reads `new`."""

    def breaks(root: Path) -> None:
        place = inside(root, path)
        text = place.read_text()
        assert old in text, f"{path} does not hold {old!r}"
        place.write_text(text.replace(old, new))

    return breaks


def shortened(path: str, size: int) -> Defect:
    """The last `size` bytes of a file are lost."""

    def spoil(root: Path) -> None:
        place = inside(root, path)
        place.write_bytes(place.read_bytes()[:-size])

    return spoil


def chmodded(path: str, mode: int) -> Defect:
    def breaks(root: Path) -> None:
        inside(root, path).chmod(mode)

    return breaks


def copied(source: Callable[[], Path], path: str) -> Defect:
    """`path` is a copy of the file that `source` makes, executable."""

    def breaks(root: Path) -> None:
        place = root / path
        place.unlink(missing_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source(), place)
        place.chmod(0o755)

    return breaks


def a_directory(path: str) -> Defect:
    """`path` is a directory instead of whatever it was."""

    def breaks(root: Path) -> None:
        if (root / path).is_symlink() or (root / path).is_file():
            (root / path).unlink()
        (root / path).mkdir(parents=True)

    return breaks


def both(*defects: Defect) -> Defect:
    """Several steps that make one defect."""

    def breaks(root: Path) -> None:
        for defect in defects:
            defect(root)

    return breaks


def given_to(path: str, uid: int, gid: int) -> Defect:
    """`path`, link or not, belongs to somebody else."""

    def breaks(root: Path) -> None:
        os.chown(root / path, uid, gid, follow_symlinks=False)

    return breaks


def changed_at(path: str, seconds: int) -> Defect:
    """The modification time of `path` is `seconds` since 1970."""

    def breaks(root: Path) -> None:
        os.utime(root / path, (seconds, seconds), follow_symlinks=False)

    return breaks


def a_socket(path: str) -> Defect:
    """`path` is a socket that nobody listens on any more."""

    def breaks(root: Path) -> None:
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        here = os.getcwd()
        os.chdir(place.parent)  # a socket's path may have 108 bytes, less than some temporary directories
        try:
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(place.name)
        finally:
            os.chdir(here)

    return breaks


def a_fifo(path: str) -> Defect:
    def breaks(root: Path) -> None:
        (root / path).unlink(missing_ok=True)
        os.mkfifo(root / path)

    return breaks


def a_device(path: str, major: int, minor: int) -> Defect:
    """`path` is a character device. Needs root."""

    def breaks(root: Path) -> None:
        (root / path).unlink(missing_ok=True)
        os.mknod(root / path, stat.S_IFCHR | 0o600, os.makedev(major, minor))

    return breaks
