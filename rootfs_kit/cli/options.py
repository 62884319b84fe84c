"""What the commands have in common: options made from the table of knobs, and how `--help` shows them.

Options are read as plain text here; what they mean is settled in `request/settings.py`, together with the environment
and the file of `--config`, so that all three are held to the same rules and told off in the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

import click

from rootfs_kit.request.knob import Knob
from rootfs_kit.request.knobs import KNOBS
from rootfs_kit.request.values import File, Files

Function = TypeVar("Function", bound=Callable[..., Any])

COMMON_SECTION = "Options"
_ALL = frozenset(knob.field for knob in KNOBS)
# For a command that has a --format of its own.
ALL_BUT_FORMAT = _ALL - {"format"}

# Options, variables and defaults stay whole when help texts are folded, and are plain again when they are printed.
_WHOLE = {ord(" "): "\N{NO-BREAK SPACE}", ord("-"): "\N{NON-BREAKING HYPHEN}"}
_AS_USUAL = {ord(whole): chr(usual) for usual, whole in _WHOLE.items()}


class SectionedCommand(click.Command):
    """A command whose `--help` shows the knobs under the headings of their table, the other options last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shown = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = [(_section_of(option), option.get_help_record(ctx)) for option in shown]
        width = max(len(record[0]) for _, record in records if record)
        for section, members in groupby(records, key=lambda pair: pair[0]):
            with formatter.section(section):
                formatter.write_dl([(record[0].ljust(width), record[1]) for _, record in members if record])

    def get_help(self, ctx: click.Context) -> str:
        return super().get_help(ctx).translate(_AS_USUAL)


class Command(SectionedCommand):
    """A command that also takes --debug, since people add it at the end of the line that failed."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.params.append(debug_option())


command = partial(click.command, cls=Command)
"""The decorator of every command."""


class Group(click.Group):
    """The commands in the order in which people meet them."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class KnobOption(click.Option):
    """The option of one knob; `--help` shows its environment name and default beside it."""

    def __init__(self, names: Sequence[str], knob: Knob, **attributes: Any) -> None:
        self.knob = knob
        super().__init__(names, **attributes)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        facts = []
        if self.knob.environment_shown:
            facts.append(f"env: {self.knob.environment_shown}".translate(_WHOLE))
        if self.knob.default_shown:
            facts.append(f"default: {self.knob.default_shown}".translate(_WHOLE))
        words = self.knob.help.replace("-", _WHOLE[ord("-")])
        return self._help_flags(), words + (f"  [{'; '.join(facts)}]" if facts else "")

    def _help_flags(self) -> str:
        """`-r, --rootfs-dir DIR`; a switch as `--[no-]force`."""
        if self.knob.is_switch:
            return ", ".join([*self.knob.flags[:-1], f"--[no-]{self.knob.key}"])
        return f"{', '.join(self.knob.flags)} {self.knob.kind.metavar}"


def knob_options(command: str, only: Container[str] = _ALL) -> Callable[[Function], Function]:
    """The options of every knob of `command` (or those of the fields in `only`), as keyword arguments by field."""

    def decorate(function: Function) -> Function:
        wanted = [knob for knob in _in_sections() if command in knob.commands and knob.field in only]
        # Decorators apply from the last to the first.
        for knob in reversed(wanted):
            names = (knob.field, *_declarations(knob))
            function = click.option(*names, cls=KnobOption, knob=knob, **_attributes(knob))(function)
        return function

    return decorate


def debug_option() -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        callback=_remember_debug,
        help="Show the traceback of an error, for a bug report.",
    )


def distros_dir_option(function: Function) -> Function:
    return click.option(
        "--distros-dir",
        "distros_dirs",
        multiple=True,
        metavar="DIR",
        type=click.Path(),
        help="Look for distributions in this directory too; repeatable.  [env: ROOTFS_KIT_DISTROS_PATH]",
    )(function)


def config_option(function: Function) -> Function:
    return click.option(
        "--config",
        metavar="FILE",
        type=click.Path(),
        help="Read a build from this TOML file. Its keys are the long options without the dashes, and `distro`. "
        "Command line and environment win over it.",
    )(function)


def verbosity_options(function: Function) -> Function:
    # Each looks for the other: click runs callbacks in the order in which the options were typed.
    verbose = click.option("-v", "--verbose", count=True, callback=_refuse_both, help="Say more.")
    quiet = click.option(
        "-q", "--quiet", is_flag=True, callback=_refuse_both, help="Say nothing unless something is wrong."
    )
    return verbose(quiet(function))


def json_option(function: Function) -> Function:
    """`--json`; an error is told as a document then, too (see cli_outcome.py)."""
    return click.option(
        "--json", "as_json", is_flag=True, callback=_remember_json, help="Print the result as one JSON document."
    )(function)


def format_option(*formats: str) -> Callable[[Function], Function]:
    """`--format`, with the first of `formats` as its default."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How to print it.",
    )


def suite_options(function: Function) -> Function:
    """The options of the pytest plugin. The `rootfs-` that tells them from pytest's own may be left out."""
    words = (
        "auto, or what the rootfs is held to: systemd, agent-init or overlay, and features (policy, confidential, "
        "modules, selinux, debug-console, initrd, image), joined by commas."
    )
    options = (
        _suite_option("profile", metavar="WORDS", help=words),
        _suite_option("expect", metavar="FILE", type=click.Path(), help="What is expected, and waivers: a TOML file."),
        _suite_option("base", metavar="ROOTFS", help="Judge what comes of ROOTFS when the overlay is laid over it."),
        _suite_option("report", metavar="FILE", type=click.Path(), help="Write the findings to FILE.json or .sarif."),
        _suite_option("strict", is_flag=True, help="Warnings fail as well."),
        _suite_option("allow-probe-agent", is_flag=True, help="Take rootfs-kit's diagnostic agent for an agent."),
        _suite_option("run-agent", is_flag=True, help="Start the agent once, confined, with --version."),
        _suite_option("allow-host", is_flag=True, help="Allow / as ROOTFS: the machine that this runs on."),
        _suite_option("no-truncate", is_flag=True, help="Show all paths of a finding, not the first five."),
    )
    function = archive_options(function)
    for option in reversed(options):
        function = option(function)
    return function


def archive_options(function: Function) -> Function:
    """How to read a rootfs that is an archive."""
    arch = _suite_option("arch", metavar="ARCH", help="Which image of several is meant: x86_64 or amd64, aarch64, …")
    size = _suite_option(
        "max-size", metavar="SIZE", callback=_as_size, help="What an archive may be decompressed to (16 GiB)."
    )
    return arch(size(function))


def _as_size(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    from rootfs_kit.suite.sizes import EXAMPLE, parse_size

    size = parse_size(text) if text is not None else None
    if text is not None and size is None:
        raise click.BadParameter(f"{text} is no size: write {EXAMPLE}.")
    return size


class SuiteOption(click.Option):
    """An option of the suite; `--help` shows the shorter of its two names."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        value = "" if self.is_flag else f" {self.metavar}"
        return f"{self.opts[0]}{value}", str(self.help)


def _suite_option(name: str, **attributes: Any) -> Callable[[Function], Function]:
    return click.option(f"--{name}", f"--rootfs-{name}", name.replace("-", "_"), cls=SuiteOption, **attributes)


def distro_argument(required: bool = True) -> Callable[[Function], Function]:
    return click.argument("distro", required=required, shell_complete=complete_distro)


def knobs_given(keywords: dict[str, Any]) -> dict[str, Any]:
    """Of a command's keyword arguments those that are knobs, by field."""
    return {knob.field: keywords[knob.field] for knob in KNOBS if knob.field in keywords}


def _in_sections() -> Iterator[Knob]:
    order = {section: position for position, section in enumerate(dict.fromkeys(knob.section for knob in KNOBS))}
    yield from sorted(KNOBS, key=lambda knob: order[knob.section])


def _section_of(option: click.Option) -> str:
    return str(option.knob.section) if isinstance(option, KnobOption) else COMMON_SECTION


def _declarations(knob: Knob) -> list[str]:
    if not knob.is_switch:
        return list(knob.flags)
    return [*knob.flags[:-1], f"{knob.flag}/--no-{knob.key}"]


def _attributes(knob: Knob) -> dict[str, Any]:
    """A switch that was not given is None, not False: the environment may still turn it on."""
    if knob.is_switch:
        return {"is_flag": True, "default": None, "help": knob.help}
    kind = knob.kind.each if isinstance(knob.kind, Files) else knob.kind
    completes_paths = click.Path() if isinstance(kind, File) else click.STRING
    return {"type": completes_paths, "multiple": knob.is_repeatable, "metavar": kind.metavar, "help": knob.help}


def _remember_debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.obj["debug"] = True


def _remember_json(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    if value:
        ctx.obj["json"] = True
    return value


def _refuse_both(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    if value and any(ctx.params.get(name) for name in ("verbose", "quiet") if name != param.name):
        raise click.UsageError("--quiet and --verbose contradict each other.", ctx)
    return value


def complete_distro(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of distributions that begin with `incomplete`, for a shell."""
    from rootfs_kit.distro.listing import names
    from rootfs_kit.request.surroundings import Surroundings

    try:
        known = names(Surroundings.of_this_process().distros_dirs(ctx.params.get("distros_dirs") or ()))
        return [name for name in known if name.startswith(incomplete)]
    except Exception:
        # A shell that is completing a word has no place for an error message.
        return []
