"""Writes expectations from a tree that is known to be good, as a start: a person then takes out what may change."""

from __future__ import annotations

from collections.abc import Iterator

from rootfs_kit.suite.anatomy import INIT, find_agent
from rootfs_kit.suite.detect import decide_profile
from rootfs_kit.suite.profile import Profile, ProfileRequest
from rootfs_kit.suite.survey import MIB, total_size
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.machines import rootfs_machine
from rootfs_kit.tree.packages import PackageSet

SETUID_OR_SETGID = 0o6000
HEADROOM = 1.1
UNITS = ("kata-containers.target", "kata-agent.service", "chronyd.service", "dbus.socket", "tmp.mount")
WATCHED_FILES = (INIT, "/etc/resolv.conf", "/tmp")


def write_expectation(tree: RootfsTree) -> str:
    """A TOML file of expectations that `tree` meets. Raises UsageError for an empty tree, CouldNotLook."""
    profile = decide_profile(ProfileRequest(), tree)
    return "\n".join(_lines(tree, profile)) + "\n"


def _lines(tree: RootfsTree, profile: Profile) -> Iterator[str]:
    yield f"# What {_comment(tree.name)} was when it was known to be good. Take out whatever may change."
    yield f"profile = {_quoted(','.join(profile.words))}"
    yield from _identity(tree)
    yield f'size-budget = "{int(total_size(tree) * HEADROOM / MIB) + 1} MiB" # a tenth more than it was'
    yield from _setuid(tree)
    units = [name for name in UNITS if _is_loadable(tree, name)]
    if units:
        yield f"units = {_list(units)}"
    yield from _packages(tree.packages)
    yield from _files(tree)


def _identity(tree: RootfsTree) -> Iterator[str]:
    values = {
        "distro": tree.os_release.get("ID"),
        "release": tree.os_release.get("VERSION_ID"),
        "arch": rootfs_machine(tree),
        "kernel": tree.module_versions[0] if len(tree.module_versions) == 1 else None,
    }
    for key, value in values.items():
        if value and _is_text(value):
            yield f"{key} = {_quoted(value)}"


def _setuid(tree: RootfsTree) -> Iterator[str]:
    paths = [entry.path for entry in tree.walk() if entry.is_file and entry.mode & SETUID_OR_SETGID]
    paths = [path for path in paths if _is_text(path)]
    yield f"setuid = {_list(paths)}" if paths else 'setuid = "none"'


def _is_loadable(tree: RootfsTree, name: str) -> bool:
    unit = tree.unit(name)
    return unit is not None and not unit.masked


def _packages(packages: PackageSet) -> Iterator[str]:
    names = sorted(name for name in packages if _is_text(name))
    if not names:
        return
    yield ""
    yield "[packages]"
    for name in names:
        version = packages[name].version
        bound = f">= {version}" if version and packages.rules and version.isascii() and version.isprintable() else "*"
        yield f"{_quoted(name)} = {_quoted(bound)}"


def _files(tree: RootfsTree) -> Iterator[str]:
    agent = find_agent(tree)
    paths = [*WATCHED_FILES, *([agent.path] if agent is not None else [])]
    for path in sorted(path for path in paths if tree.exists(path)):
        file = tree.file(path)
        yield ""
        yield f"[files.{_quoted(path)}]"
        yield f'mode = "{file.mode:04o}"'
        yield f'owner = "{file.uid}:{file.gid}"'


def _list(words: list[str]) -> str:
    return "[" + ", ".join(_quoted(word) for word in words) + "]"


def _quoted(text: str) -> str:
    """A basic string of TOML 1.0: what it may not hold as it is, is escaped."""
    return '"' + "".join(char if _is_plain(char) else f"\\u{ord(char):04x}" for char in text) + '"'


def _is_plain(char: str) -> bool:
    return char not in '"\\#' and char.isprintable() and char.isascii()


def _is_text(text: str) -> bool:
    """Whether TOML can hold it: names that are no UTF-8 cannot be written."""
    return not any(0xD800 <= ord(char) <= 0xDFFF or ord(char) > 0xFFFF for char in text)


def _comment(text: str) -> str:
    return text if text.isprintable() else "this rootfs"
