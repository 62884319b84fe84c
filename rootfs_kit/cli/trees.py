"""The commands for a rootfs that is there."""

from __future__ import annotations

from pathlib import Path

import click

from rootfs_kit.cli.options import command
from rootfs_kit.request.surroundings import Surroundings


@command(
    short_help="Run a command inside a rootfs.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("rootfs", type=click.Path())
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def enter(rootfs: str, command: tuple[str, ...]) -> int:
    """Run COMMAND, or a shell, inside ROOTFS, a directory, as its root.

    An ordinary user is root of a user namespace there, so that a rootfs which belongs to subordinate ids is no
    obstacle. The command sees /proc, /sys and a small /dev; what it changes in ROOTFS stays.

    \b
    Examples:
      rootfs-kit enter ./rootfs-debian
      rootfs-kit enter ./rootfs-debian ls -l /usr/bin/kata-agent

    The exit status is the command's.
    """
    from rootfs_kit.enter import enter as enter_rootfs

    # Many write -- before a command with options, as docker exec and nsenter let them.
    return enter_rootfs(path_of(rootfs), command[1:] if command[:1] == ("--",) else command)


@command(short_help="Remove a rootfs, whoever its files belong to.")
@click.argument("rootfs", type=click.Path())
@click.option("--force", is_flag=True, help="Remove a directory that rootfs-kit did not make.")
def rm(rootfs: str, force: bool) -> None:
    """Remove ROOTFS, a directory that rootfs-kit made, also where its files belong to subordinate ids.

    It refuses what a build would refuse to replace.

    \b
    Examples:
      rootfs-kit rm ./rootfs-debian
      rootfs-kit rm --force ./half-a-rootfs
    """
    from rootfs_kit.remove import remove_rootfs

    remove_rootfs(path_of(rootfs), force)


def path_of(text: str) -> Path:
    """The absolute path of an argument, read as those of options are."""
    from rootfs_kit.request.values import BadValue, File

    try:
        return File("a path", "PATH").from_text(text, Surroundings.of_this_process().cwd)
    except BadValue as error:
        raise click.UsageError(f"{text!r}: {error}") from None
