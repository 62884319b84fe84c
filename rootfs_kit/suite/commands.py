"""What the commands `check`, `checks` and `expect` do; the command line only hands over what was typed."""

from __future__ import annotations

import os
import shutil
from typing import Any, TextIO

import click

from rootfs_kit.errors import ExitCode
from rootfs_kit.suite.catalogue import Entry, catalogue, entries_of
from rootfs_kit.suite.environment import in_github_actions
from rootfs_kit.suite.options import require_a_report
from rootfs_kit.suite.reports import write_report
from rootfs_kit.suite.reports.document import document
from rootfs_kit.suite.reports.github import workflow_commands
from rootfs_kit.suite.run import JudgeOptions, judge
from rootfs_kit.suite.summary import summary


def check(
    rootfs: str | os.PathLike[str], options: JudgeOptions, out: TextIO, *, verbose: bool = False, quiet: bool = False
) -> ExitCode:
    """Judge `rootfs`, write a summary for people to `out` (nothing at all where `quiet` and all is well).

    Exits: DONE, NOT_CONFORMING, or USAGE where something could not be judged. Raises UsageError.
    """
    if options.report is not None:
        require_a_report(options.report)
    verdict = judge(rootfs, options)
    if options.report is not None:
        write_report(verdict, options.report)
    if not (quiet and verdict.conforms):
        width = shutil.get_terminal_size().columns if out.isatty() else None
        for line in summary(verdict, truncate=options.truncate, verbose=verbose, width=width):
            click.echo(line, file=out)
    if in_github_actions():
        for line in workflow_commands(verdict):
            click.echo(line, file=out)
    return verdict.exit_code


def check_document(rootfs: str | os.PathLike[str], options: JudgeOptions) -> tuple[dict[str, Any], ExitCode]:
    """The verdict as the JSON document that docs/report.md describes. Raises UsageError."""
    verdict = judge(rootfs, options)
    return document(verdict), verdict.exit_code


def list_checks(identifier: str | None = None) -> str:
    """All checks, one line each; or all about one of them. Raises UsageError with the nearest id."""
    if identifier is not None:
        return "\n\n".join(_explained(entry) for entry in entries_of(identifier))
    entries = catalogue()
    width = max(len(entry.info.id) for entry in entries)
    lines = []
    room = ""
    for entry in entries:
        if entry.room != room:
            room = entry.room
            lines += ["", click.style(" ".join(room.partition("\n\n")[0].split()), bold=True)]
        lines.append(f"  {entry.info.id:<{width}}  {entry.info.severity:<5}  {entry.name}  ({entry.applies_to})")
    return "\n".join(lines[1:])


def checks_document() -> list[dict[str, Any]]:
    """All checks as plain values, for `rootfs-kit checks --format json`."""
    return [
        {
            "id": entry.info.id,
            "test": entry.nodeid,
            "severity": entry.info.severity.value,
            "applies_to": entry.applies_to,
            "source": entry.info.source,
            "text": entry.text,
        }
        for entry in catalogue()
    ]


def expect(rootfs: str | os.PathLike[str], arch: str | None = None, max_size: int | None = None) -> str:
    """The expectations that `rootfs`, known to be good, meets; TOML. Raises UsageError, CouldNotLook."""
    from rootfs_kit.suite.expect import write_expectation
    from rootfs_kit.tree import open_rootfs

    return write_expectation(open_rootfs(rootfs, arch=arch, max_size=max_size))


def _explained(entry: Entry) -> str:
    info = entry.info
    return "\n".join(
        [
            click.style(f"{info.id}  {entry.name}", bold=True),
            f"{info.severity}; {entry.applies_to}; {info.source}",
            "",
            entry.text,
        ]
    )
