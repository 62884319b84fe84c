"""Judges a hostile tree in this process, and holds every form in which the verdict is told to the rules."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from rootfs_kit.suite.rendering import full_text, headline
from rootfs_kit.suite.reports.document import document
from rootfs_kit.suite.reports.github import workflow_commands
from rootfs_kit.suite.reports.sarif import sarif
from rootfs_kit.suite.run import JudgeOptions, judge
from rootfs_kit.suite.summary import summary
from rootfs_kit.suite.verdict import State, Verdict
from rootfs_kit.tree.directory import DirectorySource
from rootfs_kit.tree.entry import Entry
from tests.support.limits import within

SECONDS = 120


def survey(rootfs: Path, **options: object) -> Verdict:
    """The verdict; no check broke, nothing took too long, and no text would harm who reads it."""
    with within(SECONDS):
        verdict = judge(rootfs, JudgeOptions(**options))
    assert [result.reason for result in verdict.of(State.BROKEN)] == []
    assert_texts_are_harmless(verdict)
    return verdict


def assert_texts_are_harmless(verdict: Verdict) -> None:
    lines = [click.unstyle(line) for line in summary(verdict, truncate=False, verbose=True)]
    for result in verdict.results:
        lines += [headline(result), *full_text(result)]
    assert_lines_are_harmless(lines)
    for report in (document(verdict), sarif(verdict)):
        text = json.dumps(report)
        assert text.isascii() and json.loads(text) == report
    commands = list(workflow_commands(verdict))
    assert all(line.startswith(("::error title=", "::warning title=")) for line in commands)
    assert all(line.isprintable() and "##[" not in line for line in commands)


def assert_lines_are_harmless(lines: Iterable[str]) -> None:
    """No escape, no line of its own by a newline in a name, no command of GitHub's runner in either of its forms."""
    for line in lines:
        assert line.isprintable(), ascii(line)
        assert not line.strip().startswith("::") and "##[" not in line, line


def states(verdict: Verdict, *wanted: State) -> set[str]:
    """The checks that ended in one of `wanted`."""
    return {result.check or result.nodeid for result in verdict.of(*wanted)}


@contextmanager
def recording() -> Iterator[set[str]]:
    """The guest paths of all files that are opened meanwhile."""
    opened: set[str] = set()
    before = DirectorySource.open

    def record(self: DirectorySource, entry: Entry) -> object:
        opened.add(entry.path)
        return before(self, entry)

    DirectorySource.open = record  # type: ignore[method-assign,assignment]
    try:
        yield opened
    finally:
        DirectorySource.open = before  # type: ignore[method-assign]


def deep_directory(root: Path, name: str, depth: int) -> int:
    """A descriptor of the innermost of `depth` directories called `name`, each with a link and a neighbour."""
    here = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.symlink("../neighbour/../nothing", "link", dir_fd=here)
        os.mkdir("neighbour", dir_fd=here)
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    return here


def remove_deep_directory(root: Path) -> None:
    """shutil.rmtree goes down by recursion, and a tree of this depth is too deep for it."""
    import subprocess

    subprocess.run(["rm", "-rf", "--", str(root)], check=True)
