"""`rootfs-kit new`: the directory of a distribution of one's own, to be filled in."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from rootfs_kit.backends.registry import backend_names
from rootfs_kit.distro import Distro, listed
from rootfs_kit.distro.places import require_distro_name
from rootfs_kit.distro.search import find_distro
from rootfs_kit.errors import UsageError

SKELETONS = Path(__file__).parent / "skeletons"
OF_A_SCRIPT = ("config.sh", "rootfs_lib.sh", "Dockerfile.in")


class Style(StrEnum):
    """How a distribution is described: for rootfs-kit alone, or as Kata's osbuilder has it too."""

    TOML = "toml"
    SHELL = "shell"


def write_skeleton(
    name: str, directory: Path, style: Style, parent: str | None, among: tuple[Path, ...]
) -> tuple[Path, ...]:
    """Make `directory`/`name` and give the files in it. `among` is searched for `parent`, a distribution to extend.

    Raises UsageError where something of that name is there, or `parent` is not.
    """
    require_distro_name(name)
    doing = f"describing the distribution {name}"
    if parent is not None and style is Style.SHELL:
        hint = "Leave out --from, or give --style toml."
        raise UsageError(doing, "a config.sh cannot extend another distribution", hint)
    texts = _of_a_script(name) if style is Style.SHELL else _of_a_toml(name, find_parent(parent, among))
    place = directory / name
    try:
        place.mkdir(parents=True)
        for file, text in texts.items():
            (place / file).write_text(text)
    except FileExistsError:
        hint = "Choose another name or another --dir; nothing is overwritten."
        raise UsageError(doing, f"{place} is there already", hint) from None
    except OSError as error:
        raise UsageError(doing, f"{error.filename}: {error.strerror}", "Name a directory that can be made.") from None
    return tuple(place / file for file in texts)


def find_parent(parent: str | None, among: tuple[Path, ...]) -> Distro | None:
    """The distribution to extend, if one was named. Raises UsageError."""
    if parent is None:
        return None
    found = find_distro(parent, among)
    if found.script is not None:
        hint = 'Its config.sh may be read by another: source "${script_dir}/' + f'{found.name}/config.sh".'
        raise UsageError(f"extending {parent}", "it is described by a config.sh", hint)
    return found


def _of_a_script(name: str) -> dict[str, str]:
    return {file: _filled(file, {"distro": name}) for file in OF_A_SCRIPT}


def _of_a_toml(name: str, parent: Distro | None) -> dict[str, str]:
    if parent is None:
        return {"distro.toml": _filled("own.toml", {"distro": name, "backends": listed(backend_names())})}
    words = {
        "distro": name,
        "parent": parent.name,
        "release": parent.default_version,
        "releases": listed(release.name for release in parent.releases),
    }
    return {"distro.toml": _filled("extending.toml", words)}


def _filled(file: str, words: dict[str, str]) -> str:
    text = (SKELETONS / file).read_text()
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
