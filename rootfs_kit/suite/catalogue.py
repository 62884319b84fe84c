"""The catalogue of checks: what each says about itself, in its decorator and its docstring.

There is no list of checks to keep: this reads the modules that hold them. `python -m rootfs_kit.suite.catalogue FILE`
writes docs/checks.md.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import FunctionType, ModuleType

from rootfs_kit.axes import Content, InitMode
from rootfs_kit.errors import UsageError
from rootfs_kit.suite.check import EVERY_CONTENT, EVERY_INIT, MARKER, CheckInfo
from rootfs_kit.suite.check_modules import import_checks
from rootfs_kit.suite.places import CheckDirectory, check_directories

INTRODUCTION = """\
# The checks

Generated from the checks themselves by `python -m rootfs_kit.suite.catalogue docs/checks.md`; a test fails when this
file is stale. `rootfs-kit checks` lists them, `rootfs-kit checks ID` explains one.

An **error** makes a rootfs unfit, a **warning** is shown and fails only with `--strict` (with pytest
`--rootfs-strict`), **information** is only recorded. Some checks raise or lower the weight of a single finding; they
say so.
"""


@dataclass(frozen=True)
class Entry:
    """One test of the catalogue. Several tests may share a check's id."""

    info: CheckInfo
    nodeid: str
    room: str
    text: str

    @property
    def name(self) -> str:
        return self.nodeid.rpartition("::")[2]

    @property
    def summary(self) -> str:
        """The first paragraph of the text, on one line."""
        return " ".join(self.text.partition("\n\n")[0].split())

    @property
    def applies_to(self) -> str:
        """The trees that it is for, in words."""
        words = [] if self.info.content == EVERY_CONTENT else [_content_word(self.info.content)]
        words += [] if self.info.init == EVERY_INIT else [_init_word(self.info.init)]
        words += sorted(self.info.features)
        return ", ".join(words) or "every rootfs"


def _content_word(content: frozenset[Content]) -> str:
    return "full rootfs" if Content.FULL in content else "overlay"


def _init_word(init: frozenset[InitMode]) -> str:
    return "systemd" if InitMode.SYSTEMD in init else "agent-init"


def catalogue() -> list[Entry]:
    """Every check, room by room, in the order in which they run."""
    return [
        entry
        for directory in check_directories()
        for path in directory.files
        for entry in _entries(import_checks(path, directory.package), path, directory)
    ]


def _entries(module: ModuleType, path: Path, directory: CheckDirectory) -> Iterator[Entry]:
    room = inspect.getdoc(module) or path.stem
    for name, function in vars(module).items():
        if name.startswith("test_") and isinstance(function, FunctionType):
            for mark in getattr(function, "pytestmark", ()):
                if mark.name == MARKER:
                    nodeid = f"{directory.prefix}/{path.name}::{name}"
                    yield Entry(mark.args[0], nodeid, room, inspect.getdoc(function) or "")


def entries_of(identifier: str, entries: Iterable[Entry] | None = None) -> list[Entry]:
    """The tests of one check, by its id or by a test's name. Raises UsageError with the nearest id."""
    entries = list(catalogue() if entries is None else entries)
    found = [entry for entry in entries if identifier in (entry.info.id, entry.name, entry.nodeid)]
    found = found or [entry for entry in entries if identifier.upper() == entry.info.id]
    if found:
        return found
    known = sorted({entry.info.id for entry in entries})
    nearest = get_close_matches(identifier.upper(), known, n=1)
    raise UsageError(
        f'looking for the check "{identifier}"',
        "there is none of that id",
        f'Did you mean "{nearest[0]}"?' if nearest else f"The checks are {', '.join(known)}.",
    )


def markdown(entries: Iterable[Entry]) -> str:
    """docs/checks.md."""
    parts = [INTRODUCTION]
    room = ""
    for entry in entries:
        if entry.room != room:
            room = entry.room
            title, _, rest = room.partition(": ")
            parts.append(f"## {title}\n\n{_sentence(' '.join(rest.split())) or title}\n")
        parts.append(_section(entry))
    return "\n".join(parts)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _section(entry: Entry) -> str:
    info = entry.info
    return (
        f"### {info.id} `{entry.name}`\n\n"
        f"{info.severity} · {entry.applies_to} · {info.source}\n\n"
        f"{entry.text}\n"
    )  # fmt: skip


if __name__ == "__main__":
    text = markdown(catalogue())
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text)
    else:
        sys.stdout.write(text)
