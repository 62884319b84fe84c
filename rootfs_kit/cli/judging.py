"""The commands that judge a rootfs, and that tell of what it is judged by."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from rootfs_kit.cli.options import (
    archive_options,
    command,
    format_option,
    json_option,
    suite_options,
    verbosity_options,
)
from rootfs_kit.cli.output import as_json_text


@command(short_help="Judge whether a rootfs is fit to boot.")
@click.argument("rootfs", type=click.Path())
@suite_options
@json_option
@verbosity_options
def check(rootfs: str, as_json: bool, verbose: int, quiet: bool, no_truncate: bool, **how: Any) -> int:
    """Judge whether ROOTFS, a directory or an archive, is fit to boot as a guest of Kata Containers.

    An archive is read in place: tar or initrd (also compressed), docker-save or OCI image layout.

    The verdict is that of `pytest --rootfs=ROOTFS`, but for what pytest finds around it: it obeys
    [tool.rootfs-kit] of a pyproject.toml, which must be named here (--expect pyproject.toml). Nothing in
    ROOTFS is changed, and nothing of it is run unless --run-agent asks for it.

    \b
    Examples:
      rootfs-kit check ./rootfs-debian
      rootfs-kit check initrd.img
      rootfs-kit check oci:./layout:tag --arch aarch64
      rootfs-kit check ./rootfs-debian --profile agent-init,modules --strict
      rootfs-kit check ./rootfs-debian --json | jq '.results[].findings[]'
    """
    from rootfs_kit.host.user_namespace import see_as_builder
    from rootfs_kit.suite import commands
    from rootfs_kit.suite.run import JudgeOptions

    if as_json and how["report"] is not None:
        raise click.UsageError("Give one of --json and --report.")
    paths = {name: Path(how.pop(name)).absolute() for name in ("expect", "report") if how[name] is not None}
    options = JudgeOptions(**{**how, **paths}, truncate=not no_truncate)
    if options.expect is None:
        _tell_of_the_project()
    see_as_builder(rootfs)
    if not as_json:
        return commands.check(rootfs, options, sys.stdout, verbose=verbose > 0, quiet=quiet)
    document, status = commands.check_document(rootfs, options)
    click.echo(as_json_text(document))
    return status


def _tell_of_the_project() -> None:
    """A gate that is cut off from its surroundings must not look as if it obeyed them."""
    from rootfs_kit.suite.expectation_file import PROJECT_FILE, project_has_expectations

    if project_has_expectations(Path.cwd()):
        note = f"{PROJECT_FILE} has expectations; name it with --expect to hold the rootfs to them"
        click.echo(f"rootfs-kit: {note}", err=True)


@command(short_help="List or explain the checks.")
@click.argument("identifier", metavar="[ID]", required=False)
@format_option("text", "json")
def checks(identifier: str | None, format_: str) -> None:
    """List the checks of the conformance suite, or explain the one called ID.

    \b
    Examples:
      rootfs-kit checks
      rootfs-kit checks INI-01
    """
    from rootfs_kit.suite import commands

    click.echo(as_json_text(commands.checks_document()) if format_ == "json" else commands.list_checks(identifier))


@command(short_help="Describe a good rootfs, to compare others with.")
@click.argument("rootfs", type=click.Path())
@archive_options
def expect(rootfs: str, arch: str | None, max_size: int | None) -> None:
    """Print what ROOTFS, known to be good, is like, as a file for `rootfs-kit check --expect`.

    \b
    Examples:
      rootfs-kit expect ./rootfs-debian > expect.toml
      rootfs-kit check ./next-rootfs --expect expect.toml
    """
    from rootfs_kit.host.user_namespace import see_as_builder
    from rootfs_kit.suite import commands

    see_as_builder(rootfs)
    click.echo(commands.expect(rootfs, arch, max_size), nl=False)
