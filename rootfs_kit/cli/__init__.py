"""The command line: commands and options, and nothing else.

Each command calls one function and prints what it returns. What is heavy (pytest, the suite, the build) is imported
by the command that needs it, so that `--help`, `list` and shell completion answer at once.

    building.py    list, new, show, build, overlay, doctor, matrix
    judging.py     check, checks, expect
    trees.py       enter, rm
    options.py     the options that they share, made from the table of knobs
    output.py      what they print
    outcome.py     errors and exit status
"""

from __future__ import annotations

import sys

import click

from rootfs_kit import __version__
from rootfs_kit.cli.building import build, doctor, list_, matrix, new, overlay, show
from rootfs_kit.cli.judging import check, checks, expect
from rootfs_kit.cli.options import Group, command, debug_option
from rootfs_kit.cli.outcome import COMPLETION_VARIABLE, PROGRAM, run
from rootfs_kit.cli.printing import never_fail_to_print
from rootfs_kit.cli.trees import enter, rm
from rootfs_kit.interrupts import ignore_signals

WIDEST_HELP = 120


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST_HELP},
    params=[debug_option()],
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def cli() -> None:
    """Build guest root filesystems for Kata Containers, and judge whether any rootfs is fit to boot.

    \b
    Examples:
      rootfs-kit list                                     what can be built
      rootfs-kit doctor debian                            is this host ready?
      rootfs-kit build debian --agent-bin ./kata-agent    build, check, publish
      rootfs-kit check ./rootfs-debian                    judge any rootfs

    Exit status: 0 done; 1 the rootfs does not conform; 2 wrong usage or input; 3 the build failed; 4 the host lacks
    something, and the message says how to get it.
    """


@command(short_help="Make a shell complete the commands.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete rootfs-kit's commands and options.

    \b
    Examples:
      source <(rootfs-kit completion bash)          in ~/.bashrc
      source <(rootfs-kit completion zsh)           in ~/.zshrc
      rootfs-kit completion fish | source           in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    completes = get_completion_class(shell)
    if completes is not None:
        click.echo(completes(cli, {}, PROGRAM, COMPLETION_VARIABLE).source())


for _command in (list_, new, show, build, overlay, check, checks, expect, enter, rm, doctor, matrix, completion):
    cli.add_command(_command)


def main() -> None:
    """The console script `rootfs-kit`."""
    never_fail_to_print()
    status = run(cli, sys.argv[1:])
    # What was decided stands: a signal that comes too late to stop anything does not change it.
    ignore_signals()
    sys.exit(status)
