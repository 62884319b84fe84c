"""Where the descriptions of distributions are found, and how a `distro.toml` is read.

A directory that was named wins over one of the environment's, that over a plugin's, and that over a built-in one of
the same name; so a user may change a distribution by copying its directory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from rootfs_kit.axes import FEATURES, InitMode
from rootfs_kit.distro import BUILT_IN, Builder, Distro, PackageRules, Release, Repository, SigningKey
from rootfs_kit.distro_extends import whole_table
from rootfs_kit.errors import UsageError
from rootfs_kit.toml import Table

DESCRIPTION = "distro.toml"
CONFIG_SCRIPT = "config.sh"

# Reading a config.sh runs it, so one counts only in a directory that the user named; with both, distro.toml wins.
DESCRIPTIONS = (DESCRIPTION,)
NAMED_DESCRIPTIONS = (DESCRIPTION, CONFIG_SCRIPT)

# An installed wheel keeps `distros/` inside the package, a checkout beside it; the first that exists counts.
BUILT_IN_DIRECTORIES = (Path(__file__).parent / "distros", Path(__file__).parent.parent / "distros")

_FINGERPRINT = re.compile("[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")

KEYS = (
    "extends",
    "title",
    "aliases",
    "ids",
    "backend",
    "default-release",
    "init-modes",
    "components",
    "mirrors",
    "suites",
    "architecture-mirrors",
    "repository",
    "keyrings",
    "key",
    "signed-indexes",
    "builder",
    "release",
    "architectures",
    "packages",
    "trim",
    "tested",
)
_RELEASE_KEYS = (
    "name",
    "version",
    "aliases",
    "end-of-life",
    "without-architectures",
    "repository",
    "ids",
    "packages",
    "database",
)


@dataclass(frozen=True)
class Location:
    """A directory that describes the distribution `name`, and which search turned it up.

    `among` are the directories that were searched besides plugins' and built-in ones: what it extends may be there.
    """

    name: str
    directory: Path
    found_by: str
    among: tuple[Path, ...] = ()


def locate(paths: Sequence[str | PathLike[str]] = ()) -> list[Location]:
    """Where every distribution is described, sorted by name; nothing is read yet.

    Raises UsageError for one of `paths` that is no directory or describes nothing.
    """
    found: dict[str, Location] = {}
    for location in locations(paths):
        found.setdefault(location.name, location)
    return [found[name] for name in sorted(found)]


def locations(paths: Sequence[str | PathLike[str]] = ()) -> list[Location]:
    """Where every distribution is described, in the order in which they count; names may be there more than once."""
    among = tuple(map(Path, paths))
    return [replace(each, among=among) for each in (*_named(paths), *_of_plugins(), *_built_in())]


def describes(directory: Path, descriptions: Sequence[str]) -> bool:
    """Whether `directory` holds the description of a distribution, in one of the files that count."""
    return any((directory / name).is_file() for name in descriptions)


def require_distro_name(name: str) -> None:
    """Raise UsageError for what is no name for a distribution, and for its directory."""
    if not _NAME.fullmatch(name):
        hint = "Use letters, digits, dots, dashes and underscores."
        raise UsageError("reading the name of a directory", f'"{name}" is no name for a distribution', hint)


def load_distro(location: Location) -> Distro:
    """The distribution that the `distro.toml` or `config.sh` at `location` describes; the latter is run.

    Raises UsageError, with file and line, for anything in it that is missing, unknown or of the wrong type.
    """
    require_distro_name(location.name)
    if not (location.directory / DESCRIPTION).exists():
        from rootfs_kit.config_script import read_config_script

        return read_config_script(location.name, location.directory, location.found_by)
    return described_by(whole_table(location), location)


def described_by(table: Table, location: Location) -> Distro:
    """The distribution that `table`, with all that it extends, describes. Raises UsageError."""
    table.refuse_unknown(KEYS)
    trim = table.table("trim")
    trim.refuse_unknown(("paths", "databases"))
    architectures = _architectures(table.table("architectures"))
    return Distro(
        name=location.name,
        title=table.text("title", location.name),
        directory=location.directory,
        backend=table.text("backend"),
        default_version=_default_release(table),
        releases=tuple(_release(each, architectures) for each in table.tables("release")),
        init_modes=_init_modes(table),
        architectures=architectures,
        packages=_packages(table.table("packages")),
        mirrors=table.words("mirrors", ()),
        suites=table.words("suites", ()),
        components=table.words("components", ()),
        keyrings=tuple(location.directory / name for name in table.words("keyrings", ())),
        trim=_guest_paths(trim, "paths"),
        databases=_guest_paths(trim, "databases"),
        found_by=location.found_by,
        aliases=table.words("aliases", ()),
        ids=table.words("ids", ()),
        architecture_mirrors=_architecture_mirrors(table.table("architecture-mirrors"), architectures),
        repositories=_repositories(table),
        keys=tuple(_key(each, location.directory) for each in table.tables("key")),
        signed_indexes=table.switch("signed-indexes"),
        builder=_builder(table),
        tested=table.text("tested") if "tested" in table else "",
    )


def _named(paths: Sequence[str | PathLike[str]]) -> Iterator[Location]:
    for path in map(Path, paths):
        if not path.is_dir():
            found = "it is no directory" if path.exists() else "there is no such directory"
            raise UsageError(f"looking for distributions in {path}", found, _WHAT_A_DIRECTORY_HOLDS)
        locations = list(_within(path.absolute(), str(path), NAMED_DESCRIPTIONS))
        if not locations:
            raise UsageError(
                f"looking for distributions in {path}",
                f"there is no {DESCRIPTION} and no {CONFIG_SCRIPT} in it",
                _WHAT_A_DIRECTORY_HOLDS,
            )
        yield from locations


_WHAT_A_DIRECTORY_HOLDS = (
    f"Name a directory that holds one directory per distribution, each with a {DESCRIPTION} or {CONFIG_SCRIPT}, in "
    "--distros-dir or ROOTFS_KIT_DISTROS_PATH."
)


def _of_plugins() -> Iterator[Location]:
    from rootfs_kit.plugins import plugin_manager

    for directories in plugin_manager().hook.rootfs_kit_distros():
        for directory in directories:
            yield from _within(Path(directory), "a plugin", DESCRIPTIONS)


def _built_in() -> Iterator[Location]:
    directory = next((each for each in BUILT_IN_DIRECTORIES if each.is_dir()), None)
    if directory is not None:
        yield from _within(directory, BUILT_IN, DESCRIPTIONS)


def _within(directory: Path, found_by: str, descriptions: Sequence[str]) -> Iterator[Location]:
    """The distributions in `directory`, or the one that it is."""
    if describes(directory, descriptions):
        yield Location(directory.resolve().name, directory, found_by)
        return
    for inner in sorted(directory.iterdir()):
        if describes(inner, descriptions):
            yield Location(inner.name, inner, found_by)


def _default_release(table: Table) -> str:
    name = table.text("default-release")
    if name not in [each.text("name") for each in table.tables("release")]:
        table.refuse("default-release", f'there is no [[release]] named "{name}"', "Name one of the releases.")
    return name


def _release(table: Table, architectures: dict[str, str]) -> Release:
    table.refuse_unknown(_RELEASE_KEYS)
    without = table.words("without-architectures", ())
    for machine in without:
        if machine not in architectures:
            table.refuse("without-architectures", f'"{machine}" is not in [architectures]', "Correct that line.")
    return Release(
        name=table.text("name"),
        version=table.text("version") if "version" in table else "",
        end_of_life=table.day("end-of-life"),
        aliases=table.words("aliases", ()),
        without_architectures=without,
        repositories=_repositories(table),
        ids=table.words("ids", ()),
        packages=table.words("packages", ()),
        database=_guest_path(table, "database") if "database" in table else "",
    )


def _architecture_mirrors(table: Table, architectures: dict[str, str]) -> dict[str, tuple[str, ...]]:
    table.refuse_unknown(architectures)
    return {machine: table.words(machine) for machine in table.data}


def _repositories(table: Table) -> tuple[Repository, ...]:
    return tuple(_repository(each) for each in table.tables("repository"))


def _repository(table: Table) -> Repository:
    table.refuse_unknown(("name", "path"))
    return Repository(table.text("name"), _with_placeholders(table, "path"))


def _key(table: Table, directory: Path) -> SigningKey:
    table.refuse_unknown(("file", "fingerprint", "releases"))
    fingerprint = table.text("fingerprint").replace(" ", "").lower()
    if not _FINGERPRINT.fullmatch(fingerprint):
        table.refuse("fingerprint", "it is no fingerprint", "Give 40 or 64 hexadecimal digits.")
    return SigningKey(directory / table.text("file"), fingerprint, table.words("releases", ()))


def _builder(table: Table) -> Builder | None:
    if "builder" not in table:
        return None
    builder = table.table("builder")
    builder.refuse_unknown(("image", "install", "packages"))
    packages = builder.words("packages", ())
    return Builder(_with_placeholders(builder, "image"), builder.text("install"), packages)


def _with_placeholders(table: Table, key: str) -> str:
    text = table.text(key)
    try:
        text.format(release="", version="", arch="")
    except (LookupError, ValueError):
        table.refuse(key, f'"{text}" has a placeholder that is not known', "They are {release}, {version}, {arch}.")
    return text


def _architectures(table: Table) -> dict[str, str]:
    if not table.data:
        table.refuse(None, "[architectures] is missing or empty", 'Add, for example, x86_64 = "amd64" to it.')
    return {machine: table.text(machine) for machine in table.data}


def _init_modes(table: Table) -> tuple[InitMode, ...]:
    names = table.words("init-modes")
    known = [mode.value for mode in InitMode]
    for name in names:
        if name not in known:
            table.refuse("init-modes", f'"{name}" is no init mode', f"The init modes are {' and '.join(known)}.")
    return tuple(InitMode(name) for name in names)


def _packages(table: Table) -> PackageRules:
    table.refuse_unknown(("base", "extra", "init", "features"))
    init, features = table.table("init"), table.table("features")
    init.refuse_unknown(mode.value for mode in InitMode)
    features.refuse_unknown(FEATURES)
    return PackageRules(
        base=tuple(dict.fromkeys((*table.words("base"), *table.words("extra", ())))),
        init={InitMode(mode): init.words(mode) for mode in init.data},
        features={feature: features.words(feature) for feature in features.data},
    )


def _guest_paths(table: Table, key: str) -> tuple[str, ...]:
    """Absolute paths inside the guest that may be removed; the root itself and `..` are a slip of the pen."""
    paths = table.words(key, ())
    for path in paths:
        _require_guest_path(table, key, path)
    return paths


def _guest_path(table: Table, key: str) -> str:
    path = table.text(key)
    _require_guest_path(table, key, path)
    return path


def _require_guest_path(table: Table, key: str, path: str) -> None:
    parts = path.split("/")
    if not path.startswith("/") or ".." in parts or len([part for part in parts if part]) < 2:
        table.refuse(key, f'"{path}" is no path below a directory of the guest', "Write /usr/share/… in full.")
