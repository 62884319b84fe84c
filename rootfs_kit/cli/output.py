"""What commands print, and how wide; and who is told about a build while it runs."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import click

from rootfs_kit.cli.printing import printable

if TYPE_CHECKING:
    from rootfs_kit.monitor import Monitor


def put(text: str) -> None:
    click.echo(printable(text))


def screen_width() -> int:
    """Columns to print tables in: the terminal's; a pipe or file has no edge to wrap at but people's eyes."""
    return shutil.get_terminal_size((120, 24)).columns


def as_json_text(document: object) -> str:
    return json.dumps(document, indent=2)


def monitor_for(notes: tuple[str, ...], verbose: int, quiet: bool) -> Monitor:
    """Who is told about the build, beginning with the `notes` on the request."""
    from rootfs_kit.terminal import choose_monitor

    monitor = choose_monitor(-1 if quiet else verbose, sys.stderr)
    for note in notes:
        monitor.warn(note)
    return monitor
