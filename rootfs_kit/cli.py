"""The command line: commands and options, and nothing else.

Each command calls one function and prints what it returns. What is heavy (pytest, the suite, the build) is imported
by the command that needs it, so that `--help`, `list` and shell completion answer at once.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rootfs_kit import __version__
from rootfs_kit.cli_options import (
    ALL_BUT_FORMAT,
    Group,
    archive_options,
    complete_distro,
    config_option,
    debug_option,
    distro_argument,
    distros_dir_option,
    format_option,
    json_option,
    knob_options,
    knobs_given,
    suite_options,
    verbosity_options,
)
from rootfs_kit.cli_outcome import COMPLETION_VARIABLE, PROGRAM, run
from rootfs_kit.errors import ExitCode
from rootfs_kit.interrupts import ignore_signals
from rootfs_kit.printing import never_fail_to_print, printable
from rootfs_kit.surroundings import Surroundings

if TYPE_CHECKING:
    from rootfs_kit.monitor import Monitor
    from rootfs_kit.request import BuildRequest
    from rootfs_kit.summary import BuildResult

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


@cli.command("list", short_help="What can be built.")
@format_option("table", "names", "json")
@distros_dir_option
def list_(format_: str, distros_dirs: tuple[str, ...]) -> int:
    """List the distributions that can be built.

    \b
    Examples:
      rootfs-kit list
      rootfs-kit list --format names          one per line, as rootfs.sh -l
      rootfs-kit list --distros-dir ./mine
    """
    from rootfs_kit import listing

    around = Surroundings.of_this_process()
    paths = around.distros_dirs(distros_dirs)
    if format_ == "names":
        _print("\n".join(listing.names(paths)))
        return ExitCode.DONE
    distros, errors = listing.survey(paths)
    if format_ == "json":
        click.echo(_json(listing.document(distros)))
    else:
        _print(listing.table(distros, around.today, _width()))
    listing.raise_together(errors)
    return ExitCode.DONE


@cli.command(short_help="Describe a distribution of your own.")
@click.argument("name")
@click.option("--from", "parent", metavar="DISTRO", help="Extend this distribution.", shell_complete=complete_distro)
@click.option("--style", type=click.Choice(["toml", "shell"]), default="toml", show_default=True,
              help="A distro.toml, or config.sh and rootfs_lib.sh as Kata's osbuilder has them.")  # fmt: skip
@click.option(
    "--dir", "directory", metavar="DIR", type=click.Path(), default=".", help="Where to make it.  [default: .]"
)
@distros_dir_option
def new(name: str, parent: str | None, style: str, directory: str, distros_dirs: tuple[str, ...]) -> None:
    """Make a directory NAME that describes a distribution, to be filled in.

    \b
    Examples:
      rootfs-kit new my_awesome_rootfs --from debian
      rootfs-kit new my_awesome_rootfs --style shell --dir ./mine
      rootfs-kit build my_awesome_rootfs --distros-dir ./mine
    """
    from rootfs_kit.new_distro import Style, write_skeleton

    around = Surroundings.of_this_process()
    files = write_skeleton(name, around.cwd / directory, Style(style), parent, around.distros_dirs(distros_dirs))
    _print("\n".join(map(str, files)))


@cli.command(short_help="What a build would use, and where it comes from.")
@distro_argument(required=False)
@knob_options("build", only=ALL_BUT_FORMAT)
@config_option
@distros_dir_option
@format_option("table", "json")
def show(distro: str | None, config: str | None, distros_dirs: tuple[str, ...], format_: str, **knobs: Any) -> None:
    """Show everything that a build of DISTRO would use, and where each value comes from.

    It takes the options of `rootfs-kit build`, reads the same environment, and builds nothing.

    \b
    Examples:
      rootfs-kit show debian
      rootfs-kit show debian --os-version bookworm --agent-init
      rootfs-kit show --config build.toml --format json
    """
    from rootfs_kit import show as showing
    from rootfs_kit.planning import Said, plan_build

    around = Surroundings.of_this_process()
    planned = plan_build(Said(distro, knobs_given(knobs), config, distros_dirs), around)
    facts = showing.facts(planned, around.today)
    _print(_json(facts) if format_ == "json" else showing.pages(facts, _width()))


@cli.command(short_help="Build a rootfs, judge it, put it in place.")
@distro_argument(required=False)
@knob_options("build")
@config_option
@distros_dir_option
@json_option
@verbosity_options
def build(
    distro: str | None, config: str | None, distros_dirs: tuple[str, ...], as_json: bool, verbose: int, quiet: bool,
    **knobs: Any,
) -> None:  # fmt: skip
    """Build a rootfs of DISTRO, judge it, and put it in place.

    Where it goes nothing changes until the rootfs is finished and has passed the conformance suite. Options win over
    environment variables, these over the file of --config, and that over the distribution's defaults.

    \b
    Examples:
      rootfs-kit build debian --agent-bin ./kata-agent
      rootfs-kit build debian --agent-tarball kata-agent.tar.zst -r ./rootfs \\
          --kernel-modules /lib/modules/6.12.0 --extra-pkgs "strace jq"
      rootfs-kit build debian --os-version bookworm --agent-init \\
          --agent-bin ./kata-agent
      rootfs-kit build debian --agent probe       for want of a kata-agent
      rootfs-kit build --config build.toml
      rootfs-kit build ./my-distro                a directory with a config.sh
    """
    from rootfs_kit.planning import Said, plan_build, require_inputs

    around = Surroundings.of_this_process()
    planned = plan_build(Said(distro, knobs_given(knobs), config, distros_dirs), around)
    require_inputs(planned.settings)

    _require_free_stdout(planned.request, as_json)

    from rootfs_kit import build as building
    from rootfs_kit.allowed_failure import unless_it_may_fail

    monitor = _monitor(planned.notes, verbose, quiet)
    build_it = partial(building.build, cache=around.cache_dir)
    result = unless_it_may_fail(build_it, planned.request, planned.distro, monitor)
    if not isinstance(result, Path):
        _present(result, as_json, quiet, planned.request.to_stdout)
    elif as_json:
        click.echo(_json({"allowed_failure": str(result)}))


@cli.command(short_help="Put only Kata's files into a directory.")
@knob_options("overlay")
@config_option
@json_option
@verbosity_options
def overlay(config: str | None, as_json: bool, verbose: int, quiet: bool, **knobs: Any) -> None:
    """Put only Kata's files into a directory, new or existing: agent, units, policy, modules.

    What is in the directory stays. The result is laid over a rootfs that somebody else makes, or given to dracut.

    \b
    Examples:
      rootfs-kit overlay -r ./overlay --agent-bin ./kata-agent
      rootfs-kit overlay -r ./their-rootfs --agent-bin ./kata-agent --agent-init
    """
    from rootfs_kit.planning import Said, plan_overlay, require_inputs

    planned = plan_overlay(Said(None, knobs_given(knobs), config), Surroundings.of_this_process())
    require_inputs(planned.settings)
    _require_free_stdout(planned.request, as_json)

    from rootfs_kit import build as building

    result = building.overlay(planned.request, _monitor(planned.notes, verbose, quiet))
    _present(result, as_json, quiet, planned.request.to_stdout)


@cli.command(short_help="Judge whether a rootfs is fit to boot.")
@click.argument("rootfs", type=click.Path())
@suite_options
@json_option
@verbosity_options
def check(rootfs: str, as_json: bool, verbose: int, quiet: bool, no_truncate: bool, **how: Any) -> int:
    """Judge whether ROOTFS, a directory or an archive, is fit to boot as a guest of Kata Containers.

    An archive is read in place: tar or initrd (also compressed), docker-save or OCI image layout.

    The verdict is that of `pytest --rootfs=ROOTFS`; nothing in ROOTFS is changed, and nothing
    of it is run unless --run-agent asks for it.

    \b
    Examples:
      rootfs-kit check ./rootfs-debian
      rootfs-kit check initrd.img
      rootfs-kit check oci:./layout:tag --arch aarch64
      rootfs-kit check ./rootfs-debian --profile agent-init,modules --strict
      rootfs-kit check ./rootfs-debian --json | jq .findings
    """
    from rootfs_kit.suite import commands
    from rootfs_kit.suite.run import JudgeOptions

    if as_json and how["report"] is not None:
        raise click.UsageError("Give one of --json and --report.")
    paths = {name: Path(how.pop(name)).absolute() for name in ("expect", "report") if how[name] is not None}
    options = JudgeOptions(**{**how, **paths}, truncate=not no_truncate)
    if not as_json:
        return commands.check(rootfs, options, sys.stdout, verbose=verbose > 0, quiet=quiet)
    document, status = commands.check_document(rootfs, options)
    click.echo(_json(document))
    return status


@cli.command(short_help="List or explain the checks.")
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

    click.echo(_json(commands.checks_document()) if format_ == "json" else commands.list_checks(identifier))


@cli.command(short_help="Describe a good rootfs, to compare others with.")
@click.argument("rootfs", type=click.Path())
@archive_options
def expect(rootfs: str, arch: str | None, max_size: int | None) -> None:
    """Print what ROOTFS, known to be good, is like, as a file for `rootfs-kit check --expect`.

    \b
    Examples:
      rootfs-kit expect ./rootfs-debian > expect.toml
      rootfs-kit check ./next-rootfs --expect expect.toml
    """
    from rootfs_kit.suite import commands

    click.echo(commands.expect(rootfs, arch, max_size), nl=False)


@cli.command(
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

    return enter_rootfs(_path(rootfs), command)


@cli.command(short_help="Remove a rootfs, whoever its files belong to.")
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

    remove_rootfs(_path(rootfs), force)


@cli.command(short_help="What this host lacks for a build.")
@distro_argument(required=False)
@knob_options("build", only=("rootfs_dir", "os_version", "arch", "mirror", "agent", "agent_init", "kernel_modules"))
@config_option
@distros_dir_option
@format_option("table", "json")
def doctor(distro: str | None, config: str | None, distros_dirs: tuple[str, ...], format_: str, **knobs: Any) -> int:
    """Tell what this host lacks for a build of DISTRO, or of any distribution, and how to get it.

    \b
    Examples:
      rootfs-kit doctor
      rootfs-kit doctor debian --agent probe
      rootfs-kit doctor debian --mirror http://mirror.example/debian

    Exit status 4 where something is missing that the build needs; what is optional is only told.
    """
    from rootfs_kit import doctor as doctoring
    from rootfs_kit.planning import Said, plan_builds

    around = Surroundings.of_this_process()
    builds = plan_builds(Said(distro, knobs_given(knobs), config, distros_dirs), around)
    diagnoses = doctoring.examine(builds, around.today)
    if format_ == "json":
        click.echo(_json(doctoring.document(diagnoses)))
    else:
        _print(doctoring.report(diagnoses, _width()))
    return ExitCode.DONE if doctoring.is_ready(diagnoses) else ExitCode.HOST_LACKS


@cli.command(short_help="Many builds from one description.")
@click.argument("config", type=click.Path())
@click.option("-j", "--jobs", type=click.IntRange(1, 64), help="Builds at a time.  [default: one for each engine]")
@click.option("--engine", "engines", multiple=True, help="Where to build, as for `build`; repeatable.  [default: auto]")
@click.option("--image", help="With --format kubernetes: the image that has rootfs-kit and the package managers.")
@click.option("--claim", help="With --format kubernetes: the persistent volume claim with the description.")
@distros_dir_option
@format_option("table", "json", "github", "kubernetes")
@verbosity_options
def matrix(
    config: str, jobs: int | None, engines: tuple[str, ...], image: str | None, claim: str | None,
    distros_dirs: tuple[str, ...], format_: str, verbose: int, quiet: bool,
) -> int:  # fmt: skip
    """Build every combination of what CONFIG lists in its [matrix], side by side; or hand them to a CI or a cluster.

    The keys of [matrix] are those of a build's file, each with a list of values; [[matrix.exclude]] leaves out the
    combinations that have all of the values it names. The rootfses go into the file's rootfs-dir, or into ./matrix
    beside it, each with its log.

    
    Examples:
      rootfs-kit matrix build.toml -j 2
      rootfs-kit matrix build.toml --engine docker:ssh://a --engine docker:ssh://b
      rootfs-kit matrix build.toml --format github
      rootfs-kit matrix build.toml --format kubernetes --image IMAGE --claim NAME
    
      [matrix]
      distro = ["debian", "ubuntu"]
      agent-init = [false, true]
      [[matrix.exclude]]
      distro = "ubuntu"
      agent-init = true
    """
    from rootfs_kit.matrix import commands

    around = Surroundings.of_this_process()
    builds = commands.planned(around.cwd / config, distros_dirs, around)
    if format_ in ("github", "kubernetes"):
        click.echo(commands.handed_on(builds, format_, image, claim))
        return ExitCode.DONE
    outcomes = commands.built(builds, jobs, engines, distros_dirs, _monitor((), verbose, quiet))
    if format_ == "json":
        click.echo(_json(commands.outcome.document(outcomes)))
    elif not quiet:
        _print(commands.outcome.table(outcomes, _width()))
    return commands.outcome.exit_code(outcomes)


@cli.command(short_help="Make a shell complete the commands.")
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


def _path(text: str) -> Path:
    """The absolute path of an argument, read as those of options are."""
    from rootfs_kit.values import BadValue, File

    try:
        return File("a path", "PATH").from_text(text, Surroundings.of_this_process().cwd)
    except BadValue as error:
        raise click.UsageError(f"{text!r}: {error}") from None


def _monitor(notes: tuple[str, ...], verbose: int, quiet: bool) -> Monitor:
    """Who is told about the build, beginning with the `notes` on the request."""
    from rootfs_kit.terminal import choose_monitor

    monitor = choose_monitor(-1 if quiet else verbose, sys.stderr)
    for note in notes:
        monitor.warn(note)
    return monitor


def _require_free_stdout(request: BuildRequest, as_json: bool) -> None:
    """Raise click.UsageError where the archive would share standard output with a document, or hit a terminal."""
    if not request.to_stdout:
        return
    if as_json:
        raise click.UsageError("With -r -, standard output is the archive's; --json has no place there.")
    if sys.stdout.isatty():
        raise click.UsageError("An archive does not belong on a terminal: redirect standard output, or name a file.")


def _present(result: BuildResult, as_json: bool, quiet: bool, stdout_is_taken: bool) -> None:
    from rootfs_kit import summary

    if as_json:
        click.echo(_json(summary.document(result)))
    elif not quiet:
        click.echo(printable(summary.table(result, _width())), err=stdout_is_taken)


def _print(text: str) -> None:
    click.echo(printable(text))


def _width() -> int:
    """Columns to print tables in: the terminal's; a pipe or file has no edge to wrap at but people's eyes."""
    import shutil

    return shutil.get_terminal_size((120, 24)).columns


def _json(document: object) -> str:
    import json

    return json.dumps(document, indent=2)


def main() -> None:
    """The console script `rootfs-kit`."""
    never_fail_to_print()
    status = run(cli, sys.argv[1:])
    # What was decided stands: a signal that comes too late to stop anything does not change it.
    ignore_signals()
    sys.exit(status)
