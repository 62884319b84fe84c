"""The commands that build, and that tell of what can be built."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rootfs_kit.cli.options import (
    ALL_BUT_FORMAT,
    command,
    complete_distro,
    config_option,
    distro_argument,
    distros_dir_option,
    format_option,
    json_option,
    knob_options,
    knobs_given,
    verbosity_options,
)
from rootfs_kit.cli.output import as_json_text, monitor_for, put, screen_width
from rootfs_kit.cli.printing import printable
from rootfs_kit.errors import ExitCode
from rootfs_kit.request.surroundings import Surroundings

if TYPE_CHECKING:
    from rootfs_kit.request import BuildRequest
    from rootfs_kit.summary import BuildResult


@command("list", short_help="What can be built.")
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
    from rootfs_kit.distro import listing

    around = Surroundings.of_this_process()
    paths = around.distros_dirs(distros_dirs)
    if format_ == "names":
        put("\n".join(listing.names(paths)))
        return ExitCode.DONE
    distros, errors = listing.survey(paths, around.script_variables)
    if format_ == "json":
        click.echo(as_json_text(listing.document(distros)))
    else:
        put(listing.table(distros, around.today, screen_width()))
    listing.raise_together(errors)
    return ExitCode.DONE


@command(short_help="Describe a distribution of your own.")
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
    from rootfs_kit.distro.new import Style, write_skeleton

    around = Surroundings.of_this_process()
    files = write_skeleton(name, around.cwd / directory, Style(style), parent, around.distros_dirs(distros_dirs))
    put("\n".join(map(str, files)))


@command(short_help="What a build would use, and where it comes from.")
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
    put(as_json_text(facts) if format_ == "json" else showing.pages(facts, screen_width()))


@command(short_help="Build a rootfs, judge it, put it in place.")
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

    monitor = monitor_for(planned.notes, verbose, quiet)
    build_it = partial(building.build, cache=around.cache_dir)
    result = unless_it_may_fail(build_it, planned.request, planned.distro, monitor)
    if not isinstance(result, Path):
        _present(result, as_json, quiet, planned.request.to_stdout)
    elif as_json:
        click.echo(as_json_text({"allowed_failure": str(result)}))


@command(short_help="Put only Kata's files into a directory.")
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

    result = building.overlay(planned.request, monitor_for(planned.notes, verbose, quiet))
    _present(result, as_json, quiet, planned.request.to_stdout)


@command(short_help="What this host lacks for a build.")
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
        click.echo(as_json_text(doctoring.document(diagnoses)))
    else:
        put(doctoring.report(diagnoses, screen_width()))
    return ExitCode.DONE if doctoring.is_ready(diagnoses) else ExitCode.HOST_LACKS


@command(short_help="Many builds from one description.")
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
        click.echo(commands.handed_on(builds, format_, image, claim, engines, distros_dirs))
        return ExitCode.DONE
    outcomes = commands.built(builds, jobs, engines, distros_dirs, monitor_for((), verbose, quiet))
    if format_ == "json":
        click.echo(as_json_text(commands.outcome.document(outcomes)))
    elif not quiet:
        put(commands.outcome.table(outcomes, screen_width()))
    return commands.outcome.exit_code(outcomes)


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
        click.echo(as_json_text(summary.document(result)))
    elif not quiet:
        click.echo(printable(summary.table(result, screen_width())), err=stdout_is_taken)
