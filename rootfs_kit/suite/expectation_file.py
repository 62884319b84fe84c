"""Reads expectations from TOML, strictly: an expectation that is silently not asked for would be a false green.

Unknown keys are refused with their line and the nearest name, and so are empty lists: they look like an
expectation and assert nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

from rootfs_kit.errors import UsageError
from rootfs_kit.suite.bounds import parse_bounds
from rootfs_kit.suite.expectation import Expectation, ExpectedFile, ExpectedPackage, Waiver
from rootfs_kit.suite.profile import parse_profile
from rootfs_kit.suite.sizes import EXAMPLE, parse_size
from rootfs_kit.toml import Table, read_table

KEYS = (
    "agent-version", "arch", "distro", "files", "kernel", "modules", "packages", "profile", "release", "setuid",
    "size-budget", "units", "waivers",
)  # fmt: skip
FILE_KEYS = ("absent", "mode", "owner", "pattern", "sha256")
WAIVER_KEYS = ("check", "path", "reason", "until")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "ppc64el": "ppc64le"}
PROJECT_FILE = "pyproject.toml"
TOOL_TABLE = "rootfs-kit"


def read_expectation(path: Path) -> Expectation:
    """The expectations of the TOML file `path`; of a pyproject.toml, those under [tool.rootfs-kit].

    Raises UsageError that names the line.
    """
    table = read_table(path)
    if path.name != PROJECT_FILE:
        return _expectation(table)
    tools = table.table("tool")
    if TOOL_TABLE not in tools:
        raise UsageError(f"reading {path}", f"it has no [tool.{TOOL_TABLE}]", "Add that table, or name another file.")
    return _expectation(tools.table(TOOL_TABLE))


def read_project_expectation(rootdir: Path) -> Expectation | None:
    """The expectations under [tool.rootfs-kit] in the pyproject.toml of `rootdir`; None where there are none.

    Raises UsageError that names the line.
    """
    path = rootdir / PROJECT_FILE
    return read_expectation(path) if _has_the_table(path) else None


def project_has_expectations(rootdir: Path) -> bool:
    """Whether read_project_expectation would find any; not where they cannot be read."""
    try:
        return _has_the_table(rootdir / PROJECT_FILE)
    except UsageError:
        return False


def _has_the_table(path: Path) -> bool:
    try:
        if not path.is_file() or TOOL_TABLE.encode() not in path.read_bytes():
            return False
    except OSError:
        return False
    return TOOL_TABLE in read_table(path).table("tool")


def _expectation(table: Table) -> Expectation:
    table.refuse_unknown(KEYS)
    return Expectation(
        source=table.path.name,
        profile=_profile(table),
        distro=_optional(table, "distro"),
        release=_optional(table, "release"),
        arch=_arch(table),
        kernel=_optional(table, "kernel"),
        packages=_packages(table),
        modules=_words(table, "modules"),
        files=_files(table),
        units=_words(table, "units"),
        size_budget=_size(table),
        setuid=_setuid(table),
        agent_version=_optional(table, "agent-version"),
        waivers=tuple(_waiver(waiver) for waiver in table.tables("waivers")),
    )


def _optional(table: Table, key: str) -> str | None:
    return table.text(key) if key in table else None


def _words(table: Table, key: str) -> tuple[str, ...]:
    if key not in table:
        return ()
    words = table.words(key)
    if not words:
        table.refuse(key, f"{key} is an empty list, which asserts nothing", f"Name what you expect, or remove {key}.")
    return words


def _profile(table: Table) -> str | None:
    words = _optional(table, "profile")
    if words is not None:
        parse_profile(words, f"reading {table.path}, line {table.line('profile')}")
    return words


def _arch(table: Table) -> str | None:
    arch = _optional(table, "arch")
    return MACHINES.get(arch, arch) if arch is not None else None


def _packages(table: Table) -> tuple[ExpectedPackage, ...]:
    packages = _filled(table, "packages")
    return tuple(_package(packages, name) for name in sorted(packages.data)) if packages else ()


def _filled(table: Table, key: str) -> Table | None:
    if key not in table:
        return None
    inner = table.table(key)
    if not inner.data:
        table.refuse(key, f"[{key}] is empty, and asserts nothing", f"Name what you expect, or remove [{key}].")
    return inner


def _package(packages: Table, name: str) -> ExpectedPackage:
    text = packages.text(name)
    if text == "absent":
        return ExpectedPackage(name, absent=True)
    try:
        return ExpectedPackage(name, parse_bounds(text))
    except UsageError as error:
        packages.refuse(name, error.found, 'Write ">= 1.2, < 2", one version, "*" for any, or "absent".')


def _files(table: Table) -> tuple[ExpectedFile, ...]:
    files = _filled(table, "files")
    if files is None:
        return ()
    return tuple(_file(files, path) for path in sorted(files.data))


def _file(files: Table, path: str) -> ExpectedFile:
    if not path.startswith("/"):
        files.refuse(path, f'"{path}" is no path of the guest', f'Write "/{path}".')
    table = files.table(path)
    table.refuse_unknown(FILE_KEYS)
    if table.data.get("absent") not in (None, True, False):
        table.refuse_type("absent", "true or false")
    absent = table.data.get("absent") is True
    if absent and len(table.data) > 1:
        table.refuse("absent", "a file that must be absent has no other properties", "Remove one or the other.")
    return ExpectedFile(path, _mode(table), _owner(table), _digest(table), _pattern(table), absent)


def _mode(table: Table) -> int | None:
    return (
        int(_matching(table, "mode", r"[0-7]{3,4}", 'an octal string such as "0755"'), 8) if "mode" in table else None
    )


def _owner(table: Table) -> tuple[int, int] | None:
    if "owner" not in table:
        return None
    uid, _, gid = _matching(table, "owner", r"\d+:\d+", 'user and group by number, such as "0:0"').partition(":")
    return int(uid), int(gid)


def _digest(table: Table) -> str | None:
    if "sha256" not in table:
        return None
    return _matching(table, "sha256", r"[0-9a-fA-F]{64}", "64 hexadecimal digits").lower()


def _pattern(table: Table) -> str | None:
    pattern = _optional(table, "pattern")
    try:
        re.compile(pattern or "")
    except re.error as error:
        table.refuse("pattern", f"this is no regular expression: {error}", "Correct that line.")
    return pattern


def _matching(table: Table, key: str, pattern: str, wants: str) -> str:
    value = table.data[key]
    if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
        table.refuse_type(key, wants)
    return value


def _size(table: Table) -> int | None:
    if "size-budget" not in table:
        return None
    size = parse_size(str(table.data["size-budget"]))
    if size is None or isinstance(table.data["size-budget"], bool):
        table.refuse_type("size-budget", EXAMPLE)
    return size


def _setuid(table: Table) -> frozenset[str] | None:
    if "setuid" not in table:
        return None
    if table.data["setuid"] == "none":
        return frozenset()
    if table.data["setuid"] == []:
        table.refuse("setuid", "setuid is an empty list", 'To allow no setuid file at all, write setuid = "none".')
    return frozenset(_words(table, "setuid"))


def _waiver(table: Table) -> Waiver:
    table.refuse_unknown(WAIVER_KEYS)
    check, reason, until = table.text("check"), table.text("reason"), table.day("until")
    if until is None:
        table.refuse(None, f"the waiver of {check} has no end", "Add until = 2027-01-31, the last day it is good for.")
    return Waiver(check, reason, until, _optional(table, "path"), table.line("check"))


def expectation_of(file: Path | None, rootdir: Path | None) -> Expectation | None:
    """What `file` expects, or else the project at `rootdir`. Raises UsageError."""
    if file is not None:
        return read_expectation(file)
    return read_project_expectation(rootdir) if rootdir is not None else None
