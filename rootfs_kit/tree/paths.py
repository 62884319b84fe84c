"""Guest paths: how they are spelt, how links in them are followed, and how they are shown to people.

A guest path is an absolute string such as "/sbin/init". Names are bytes on disk; undecodable ones are carried as
surrogates (os.fsdecode) and come back unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rootfs_kit.tree.entry import Entry

MAX_LINKS = 40
"""Links that the kernel follows before it answers ELOOP (path_resolution(7))."""


RUNNER_COMMAND = "##["


def normalise(path: str) -> str:
    """`path` as an absolute guest path without empty and "." parts; ".." stays, as only the tree can say what it is."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def inside(path: str) -> str:
    """Where a guest path leads that has ".." in it, when no part is a link: never above the root."""
    parts: list[str] = []
    for part in normalise(path).split("/"):
        if part == "..":
            del parts[-1:]
        elif part:
            parts.append(part)
    return "/" + "/".join(parts)


def join(directory: str, name: str) -> str:
    return f"/{name}" if directory == "/" else f"{directory}/{name}"


def parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def basename(path: str) -> str:
    return path.rpartition("/")[2]


def shown(path: str) -> str:
    """`path` as a terminal may show it: control characters, newlines and undecodable bytes escaped.

    So is what the runner of GitHub Actions takes for a command wherever it stands in a line.
    """
    text = path if path.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in path)
    return text.replace(RUNNER_COMMAND, "#\\x23[")


def _escaped(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode("ascii")


class Resolution(NamedTuple):
    """Where a path leads inside the root.

    `final` is the path without any link in it and `entry` what is there; both are None where `problem` ("missing",
    "loop", "not-a-directory") says why the way ends. `chain` holds the links that were followed, in order;
    `missing_at` the first path that is not there.
    """

    path: str
    final: str | None
    entry: Entry | None
    chain: tuple[str, ...] = ()
    problem: str | None = None
    missing_at: str | None = None


def resolve(
    path: str, look: Callable[[str, str], Entry | None], root: Entry, start: Entry | None = None, rest: str = ""
) -> Resolution:
    """Follow `path` as the guest's kernel would (path_resolution(7)): "/" and ".." stop at the root.

    `look(directory, name)` is the entry of that name in a directory whose path holds no link. Where a part of the way
    is known, `start` is where it ends, and `rest` what is left of `path` from there.
    """
    waiting = _parts(path if start is None else rest)
    chain: list[str] = []
    here = start or root
    while waiting:
        name = waiting.pop()
        if not here.is_directory:
            return Resolution(path, None, None, tuple(chain), "not-a-directory", here.path)
        if name == "..":
            here = _parent_entry(here, look, root)
            continue
        entry = look(here.path, name)
        if entry is None:
            return Resolution(path, None, None, tuple(chain), "missing", join(here.path, name))
        if not entry.is_symlink:
            here = entry
            continue
        chain.append(entry.path)
        if len(chain) > MAX_LINKS:
            return Resolution(path, None, None, tuple(chain), "loop")
        target = entry.target or ""
        waiting.extend(_parts(target))
        if target.startswith("/"):
            here = root
    return Resolution(path, here.path, here, tuple(chain))


def _parts(path: str) -> list[str]:
    """The components of `path`, last first."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _parent_entry(here: Entry, look: Callable[[str, str], Entry | None], root: Entry) -> Entry:
    above = parent(here.path)
    if above == "/":
        return root
    return look(parent(above), basename(above)) or root
