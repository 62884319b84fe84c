"""How the description of a distribution, its `distro.toml`, is read; where there are any says `places.py`."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

from rootfs_kit.axes import FEATURES, InitMode
from rootfs_kit.distro import (
    BACKENDS,
    PLACEHOLDERS,
    Builder,
    Distro,
    PackageRules,
    Release,
    Repository,
    SigningKey,
    listed,
)
from rootfs_kit.distro.extends import inherited_by, parent_of, with_absolute_files
from rootfs_kit.distro.places import DESCRIPTION, Location, require_distro_name
from rootfs_kit.toml import Table, nearest_hint, read_table

if TYPE_CHECKING:
    from rootfs_kit.request.script_variables import ScriptVariables

_FINGERPRINT = re.compile("[0-9a-f]{40}(?:[0-9a-f]{24})?")

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


def load_distro(location: Location, script_variables: ScriptVariables = ()) -> Distro:
    """The distribution that the `distro.toml` or `config.sh` at `location` describes.

    The latter is run, with `script_variables` in its environment. Raises UsageError, with file and line, for anything
    in it that is missing, unknown or of the wrong type.
    """
    require_distro_name(location.name)
    if not (location.directory / DESCRIPTION).exists():
        from rootfs_kit.distro.config_script import read_config_script

        return read_config_script(location.name, location.directory, location.found_by, script_variables)
    return _described_by(_whole_table(location), location)


def _whole_table(location: Location, chain: tuple[Path, ...] = ()) -> Table:
    """The table of the distro.toml at `location`, over those that it extends; `chain` led there.

    Lines are those of the file itself: what it extends is read, and told off, on its own first. Raises UsageError.
    """
    table = with_absolute_files(read_table(location.directory / DESCRIPTION))
    chain = (*chain, location.directory.resolve())
    parent = parent_of(table, location, chain)
    if parent is None:
        return table
    below = _whole_table(parent, chain)
    return inherited_by(table, below, _described_by(below, parent))


def _described_by(table: Table, location: Location) -> Distro:
    """The distribution that `table`, with all that it extends, describes. Raises UsageError."""
    table.refuse_unknown(KEYS)
    trim = table.table("trim")
    trim.refuse_unknown(("paths", "databases"))
    architectures = _architectures(table.table("architectures"))
    return Distro(
        name=location.name,
        title=table.text("title", location.name),
        directory=location.directory,
        backend=_backend(table),
        default_version=_default_release(table),
        releases=tuple(_release(each, architectures) for each in table.tables("release")),
        init_modes=_init_modes(table),
        architectures=architectures,
        packages=_packages(table.table("packages")),
        mirrors=_words_with_placeholders(table, "mirrors"),
        suites=_words_with_placeholders(table, "suites"),
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
    return {machine: _words_with_placeholders(table, machine, None) for machine in table.data}


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
    _require_placeholders(table, key, text)
    return text


def _words_with_placeholders(table: Table, key: str, default: tuple[str, ...] | None = ()) -> tuple[str, ...]:
    words = table.words(key, default)
    for text in words:
        _require_placeholders(table, key, text)
    return words


def _require_placeholders(table: Table, key: str, text: str) -> None:
    there_are = listed(f"{{{name}}}" for name in PLACEHOLDERS)
    hint = f"The placeholders are {there_are}."
    try:
        # A conversion or a format (`{arch!r:9}`) has no meaning here.
        pieces = [(name, (form, conversion)) for _, name, form, conversion in Formatter().parse(text)]
    except ValueError:
        table.refuse(key, f'"{text}" has a brace without its other half', hint)
    for name, more in pieces:
        if any(more):
            table.refuse(key, f'"{text}" has more than a name in its braces', hint)
        if name is not None and name not in PLACEHOLDERS:
            table.refuse(key, f'{{{name}}} in "{text}" is a placeholder that is not known', hint)


def _backend(table: Table) -> str:
    name = table.text("backend")
    if name in BACKENDS:
        return name
    from rootfs_kit.backends.registry import backend_names

    if name not in backend_names():
        table.refuse("backend", f'there is no backend "{name}"', nearest_hint(name, backend_names(), "There are"))
    return name


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
