"""From what was said to what is meant: the request of one build or overlay, checked before anything begins.

This is where the layers of settings, the distribution and the rules between the knobs meet. The result is a frozen
BuildRequest; nothing after it asks the environment or the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from os.path import isdir
from pathlib import Path

from rootfs_kit.axes import InitMode
from rootfs_kit.distro import Distro
from rootfs_kit.distro.search import discover, find_distro
from rootfs_kit.errors import UsageError
from rootfs_kit.output import compression_of, format_of, is_name_of_archive
from rootfs_kit.request import PROBE_AGENT, STANDARD_OUTPUT, BuildRequest, Format
from rootfs_kit.request.config import Config, read_config
from rootfs_kit.request.knobs import BY_FIELD, KNOBS
from rootfs_kit.request.script_variables import DNF_CONF, OF_DNF
from rootfs_kit.request.settings import (
    Layer,
    Origin,
    Setting,
    Source,
    built_in,
    from_command_line,
    from_environment,
    merged,
    require_switched_files,
    unused_variables,
)
from rootfs_kit.request.surroundings import Surroundings
from rootfs_kit.request.values import File, Files

# Three ways to name one thing, the agent: the strongest source that uses any of them decides.
AGENT_SOURCES = ("agent_bin", "agent_tarball", "agent")


@dataclass(frozen=True)
class Said:
    """What the command line says: the distribution, options by field, and files and directories to look into."""

    distro: str | None = None
    options: Mapping[str, object] | None = None
    config: str | None = None
    distros_dirs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Planned:
    """One overlay or build, ready to begin. `notes` are lines that the user should see first."""

    request: BuildRequest
    settings: Layer
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PlannedBuild(Planned):
    """A build, with the distribution that is built and who named it."""

    distro: Distro
    distro_origin: Origin


def plan_build(said: Said, around: Surroundings) -> PlannedBuild:
    """The build of a distribution that was asked for. Raises UsageError for whatever is wrong with it."""
    config = _config(said, around)
    distro, origin = _distro(said, config, around)
    settings, notes = _settled(said, config, around, _distro_layer(distro, around))
    _name_the_file(settings)
    _refuse_a_directory_on_stdout(settings)
    _refuse_a_misleading_name(settings)
    request = replace(_request(settings, distro.name), script_variables=around.script_variables)
    distro.require_support(request)
    notes += _about_script_variables(request, distro)
    release = distro.release(request.os_version)
    machine = distro.machine(str(request.arch), release)
    settings["os_version"] = replace(settings["os_version"], value=release.name)
    settings["arch"] = replace(settings["arch"], value=machine)
    if release.has_ended(around.today):
        notes.append(f"security updates of {distro.title} {release.title} ended on {release.end_of_life}")
    request = replace(request, os_version=release.name, arch=machine)
    return PlannedBuild(request, settings, tuple(notes), distro, origin)


def plan_builds(said: Said, around: Surroundings) -> list[PlannedBuild]:
    """The build that was asked for; where no distribution is named, one of each, in an init mode that it has."""
    config = _config(said, around)
    if said.distro is not None or config.distro is not None:
        return [plan_build(said, around)]
    builds = []
    for distro in discover(_distros_dirs(said, config, around), around.script_variables):
        options = dict(said.options or {})
        if InitMode.SYSTEMD not in distro.init_modes:
            options["agent_init"] = True
        builds.append(plan_build(replace(said, distro=distro.name, options=options), around))
    return builds


def plan_overlay(said: Said, around: Surroundings) -> Planned:
    """The overlay that was asked for. Raises UsageError for whatever is wrong with it."""
    config = _config(said, around)
    settings, notes = _settled(said, config, around, {})
    for knob in KNOBS:
        if "overlay" not in knob.commands:
            setting = settings.pop(knob.field, None)
            if setting and setting.origin.source is Source.FILE:
                notes.append(f"{setting.origin}: {knob.key} means nothing for an overlay")
    if settings["rootfs_dir"].value is None:
        raise UsageError(
            "planning the overlay",
            "no directory is named for it",
            f"Give {BY_FIELD['rootfs_dir'].flags[0]} DIR, or set {BY_FIELD['rootfs_dir'].environment}.",
        )
    _refuse_a_directory_on_stdout(settings)
    _refuse_a_misleading_name(settings)
    return Planned(_request(settings, None), settings, tuple(notes))


def require_inputs(settings: Layer) -> None:
    """Raise UsageError for the first file or directory that was named and is not there, and say who named it."""
    for error in missing_inputs(settings):
        raise error


def missing_inputs(settings: Layer) -> Iterator[UsageError]:
    """What is to be said of each file or directory that was named and is not there."""
    for knob in KNOBS:
        kind = knob.kind.each if isinstance(knob.kind, Files) else knob.kind
        setting = settings.get(knob.field)
        if not isinstance(kind, File) or not kind.must_be or setting is None or setting.value is None:
            continue
        for path in setting.value if isinstance(setting.value, tuple) else (setting.value,):
            found = _lacking(path, kind.must_be)
            if found:
                hint = f"Name an existing {kind.must_be} with {knob.spellings}."
                yield UsageError(f"looking at what was given ({setting.origin})", found, hint)


def _config(said: Said, around: Surroundings) -> Config:
    return read_config(around.cwd / said.config) if said.config else Config()


def _distro(said: Said, config: Config, around: Surroundings) -> tuple[Distro, Origin]:
    name, origin = said.distro, Origin(Source.COMMAND_LINE, "DISTRO")
    if name is None and config.distro is not None and config.distro_origin is not None:
        name, origin = config.distro, config.distro_origin
    if name is None:
        raise UsageError(
            "planning the build",
            "no distribution is named",
            "Name one (`rootfs-kit list` shows them), or put distro = … into the file of --config.",
        )
    return find_distro(name, _distros_dirs(said, config, around), around.script_variables), origin


def _distros_dirs(said: Said, config: Config, around: Surroundings) -> tuple[Path, ...]:
    return around.distros_dirs([*said.distros_dirs, *config.distros_dirs])


def _about_script_variables(request: BuildRequest, distro: Distro) -> list[str]:
    """What to tell of variables that steer dnf where they mean nothing. Raises UsageError for a missing file."""
    named = dict(request.script_variables)
    if distro.script is None:
        unused = [name for name in OF_DNF if name in named]
        return [f"{name} is set and not used: it is for a distribution with a config.sh" for name in unused]
    found = _lacking(Path(named[DNF_CONF]), "file") if DNF_CONF in named else ""
    if found:
        raise UsageError(
            "looking at what was given (environment, DNF_CONF)", found, f"Name an existing file with {DNF_CONF}."
        )
    return []


def _distro_layer(distro: Distro, around: Surroundings) -> Layer:
    origin = Origin(Source.DISTRO, str(distro.directory))
    return {
        "rootfs_dir": Setting(around.cwd / f"rootfs-{distro.name}", Origin(Source.BUILT_IN)),
        "os_version": Setting(distro.default_version, origin),
        "components": Setting(distro.components, origin),
    }


def _settled(said: Said, config: Config, around: Surroundings, distro_layer: Layer) -> tuple[Layer, list[str]]:
    options = from_command_line(said.options or {}, around.cwd)
    machine = next((layer["arch"].value for layer in (options, config.layer) if "arch" in layer), around.machine)
    variables = from_environment(around.environ, around.cwd, stronger=options, machine=machine)
    layers = [options, variables, config.layer]
    notes = [] if "agent_policy" in options else unused_variables(around.environ)
    notes += _settle_agent(layers)
    settings = merged(*layers, distro_layer, built_in(around.machine))
    require_switched_files(settings, around.environ)
    _settle_probe(settings)
    _refuse_contradictions(settings)
    return settings, notes


def _settle_agent(layers: list[Layer]) -> list[str]:
    """Drop the sources of an agent that a stronger layer names too; two in one layer contradict each other."""
    notes: list[str] = []
    decided: Setting | None = None
    for layer in layers:
        named = {field: layer[field] for field in AGENT_SOURCES if field in layer}
        if decided is None and len(named) > 1:
            first, second, *_ = named.values()
            raise UsageError(
                "choosing the agent",
                f"two are given: {first.shown} ({first.origin}) and {second.shown} ({second.origin})",
                "Give one of --agent-bin, --agent-tarball and --agent probe.",
            )
        for field, setting in named.items():
            if decided is not None:
                del layer[field]
                notes.append(f"{setting.origin}: not used, since the agent comes from the {decided.origin}")
        decided = decided or next(iter(named.values()), None)
    return notes


def _settle_probe(settings: Layer) -> None:
    """Who asks for the probe by name accepts it, unless `--no-allow-probe-agent` says otherwise."""
    if settings["agent"].value == PROBE_AGENT and settings["allow_probe_agent"].origin.source is Source.BUILT_IN:
        settings["allow_probe_agent"] = Setting(True, Origin(Source.IMPLIED, f"--agent {PROBE_AGENT}"))


def _name_the_file(settings: Layer) -> None:
    """An archive that nobody named gets its format's suffix."""
    where, form = settings["rootfs_dir"], settings["format"].value
    if where.origin.source is Source.BUILT_IN and form is not Format.DIRECTORY:
        settings["rootfs_dir"] = replace(where, value=Path(f"{where.value}.{form}"))


def _refuse_a_directory_on_stdout(settings: Layer) -> None:
    where, form = settings["rootfs_dir"], settings["format"]
    if where.value == STANDARD_OUTPUT and form.value is Format.DIRECTORY:
        raise UsageError(
            "planning the output",
            f"standard output ({where.origin}) takes an archive, and the format is {form.value} ({form.origin})",
            f"Give {BY_FIELD['format'].flag} tar or cpio; ./- names a directory called -.",
        )


def _refuse_a_misleading_name(settings: Layer) -> None:
    """What is called as an archive must be one, of the kind that it is called, unless the user insists."""
    where, form = settings["rootfs_dir"], settings["format"]
    if where.origin.source is Source.BUILT_IN or where.value in (None, STANDARD_OUTPUT):
        return
    promised = format_of(where.value)
    if form.value is not Format.DIRECTORY:
        compression_of(where.value)
        if promised not in (None, form.value):
            raise UsageError(
                "planning the output",
                f"{where.value.name} ({where.origin}) is a name for a {promised}, and the format is {form.value} "
                f"({form.origin})",
                f"Give {BY_FIELD['format'].flag} {promised}, or another name.",
            )
    elif form.origin.source is Source.BUILT_IN and is_name_of_archive(where.value) and not isdir(where.value):
        raise UsageError(
            "planning the output",
            f"{where.value.name} ({where.origin}) is a name for an archive, and without {BY_FIELD['format'].flag} "
            "a directory is made",
            f"Give {BY_FIELD['format'].flag} {promised or 'tar or cpio'}; with dir, a directory is called so.",
        )


def _refuse_contradictions(settings: Layer) -> None:
    agent_init, selinux = settings["agent_init"], settings["selinux"]
    if agent_init.value and selinux.value:
        # rootfs.sh:522 refuses it too: nothing loads the policy before the agent starts.
        raise UsageError(
            "planning the build",
            f"SELinux ({selinux.origin}) needs an init system, and the agent is to be init ({agent_init.origin})",
            "Leave out --selinux (SELINUX=no) or --agent-init (AGENT_INIT=no).",
        )


def _request(settings: Layer, distro: str | None) -> BuildRequest:
    names = {field.name for field in fields(BuildRequest)}
    values = {name: setting.value for name, setting in settings.items() if name in names}
    return BuildRequest(**values, distro=distro)


def _lacking(path: Path, must_be: str) -> str:
    """What is wrong with `path` as an existing file or directory; empty where it is one."""
    try:
        if path.is_file() if must_be == "file" else path.is_dir():
            return ""
        return f"{path} is no {must_be}" if path.exists() else f"{path} does not exist"
    except OSError as error:
        return f"{path}: {error.strerror}"
