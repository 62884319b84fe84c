"""dpkg's status file, and the status.d directory that distroless images have in its place.

The format is deb822(5), the meaning of Status dpkg(1) "PACKAGE STATES".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rootfs_kit.tree.packages.database import MAX_TEXT, damaged, excerpt, number_or_none, read_database, text_lines
from rootfs_kit.tree.packages.model import Package, PackageSet, Provided

if TYPE_CHECKING:
    from rootfs_kit.errors import CouldNotLook
    from rootfs_kit.tree.tree import RootfsTree

STATUS = "/var/lib/dpkg/status"
STATUS_D = "/var/lib/dpkg/status.d"
INSTALLED = "install ok installed"

_WANTED = frozenset(
    ("package", "status", "version", "architecture", "source", "provides", "installed-size")
)  # all lower case: names of fields are not case-sensitive (deb822(5))
_WANTS = frozenset(("unknown", "install", "hold", "deinstall", "purge"))
_FLAGS = frozenset(("ok", "reinstreq"))
_CONFIGURED = frozenset(("installed", "triggers-awaited", "triggers-pending"))
_UNFINISHED = frozenset(("not-installed", "config-files", "half-installed", "unpacked", "half-configured"))
_FIELD = re.compile(r"([!\"$-,.-9;-~][!-9;-~]*):(.*)")

Fields = dict[str, list[str]]


def read_status(tree: RootfsTree) -> PackageSet | None:
    """What dpkg says is installed; None where there is no status file or nothing installed in it.

    Raises CouldNotLook for a damaged file.
    """
    data = read_database(tree, STATUS, MAX_TEXT)
    packages = parse_status(data, STATUS) if data else []
    return _package_set("dpkg", STATUS, packages)


def read_status_d(tree: RootfsTree) -> PackageSet | None:
    """What distroless images list: one file per package, which has a Status or else is installed.

    Raises CouldNotLook for a damaged file.
    """
    packages: list[Package] = []
    for name in tree.listdir(STATUS_D):
        path = f"{STATUS_D}/{name}"
        if name.endswith(".md5sums") or not tree.file(path).is_file:
            continue
        packages += parse_status(read_database(tree, path, MAX_TEXT) or b"", path, unstated=INSTALLED)
    return _package_set("dpkg-status.d", STATUS_D, packages)


def parse_status(data: bytes, path: str, unstated: str = "") -> list[Package]:
    """Every package that the file mentions, installed or not; `status` holds dpkg's three words.

    `unstated` is the Status of a package that has none; empty makes that a damage. Raises CouldNotLook with the line.
    """
    lines = text_lines(data, path)
    lines.append("")
    packages: list[Package] = []
    fields: Fields = {}
    current, start = "", 0
    for number, line in enumerate(lines, 1):
        if not line:
            if start:
                packages.append(_package(fields, path, start, unstated))
            fields, current, start = {}, "", 0
        elif line[0] in " \t":
            if not start:
                raise damaged(path, f"line {number} continues a field, and none is open: {excerpt(line)}")
            if current:
                fields[current].append(line)
        else:
            start = start or number
            current = _take_field(line, fields, path, number)
    return packages


def is_installed(status: str) -> bool:
    """Whether dpkg's three words mean unpacked and configured without an error.

    What is wanted of the package (hold, deinstall) does not change what it is, and one that waits for a trigger is
    configured; "deinstall ok config-files" and "install ok half-installed" only sound like it.
    """
    _, flag, state = status.split()
    return flag == "ok" and state in _CONFIGURED


def _package_set(method: str, path: str, mentioned: list[Package]) -> PackageSet | None:
    installed = [package for package in mentioned if is_installed(package.status)]
    return PackageSet(method, path, installed, rules="dpkg") if installed else None


def _take_field(line: str, fields: Fields, path: str, number: int) -> str:
    """Put the field that begins on `line` into `fields` if it is of use; its name there, or an empty string."""
    match = _FIELD.fullmatch(line)
    if match is None:
        raise damaged(path, f"line {number} is neither a field nor the continuation of one: {excerpt(line)}")
    name = match[1].lower()
    if name not in _WANTED:
        return ""
    if name in fields:
        raise damaged(path, f"line {number} gives {match[1]} for the second time")
    fields[name] = [match[2]]
    return name


def _package(fields: Fields, path: str, line: int, unstated: str) -> Package:
    name, version = _value(fields, "package"), _value(fields, "version")
    if not name or len(name.split()) > 1:
        raise damaged(path, f"the entry at line {line} has no name of a package")
    status = _status(_value(fields, "status") or unstated, name, path, line)
    if is_installed(status) and not version:
        raise damaged(path, f"the entry at line {line}, {excerpt(name)}, is installed and has no Version")
    source, source_version = _source(_value(fields, "source"), name, version)
    size = number_or_none(_value(fields, "installed-size"))
    return Package(
        name,
        version,
        _value(fields, "architecture"),
        source,
        status,
        size * 1024 if size is not None else None,
        _provides(_value(fields, "provides")),
        source_version,
    )


def _value(fields: Fields, name: str) -> str:
    """A field's lines as one text; empty where the field is not given."""
    return "".join(fields.get(name, ())).strip()


def _status(text: str, name: str, path: str, line: int) -> str:
    words = text.split()
    if len(words) != 3 or words[0] not in _WANTS or words[1] not in _FLAGS or words[2] not in _CONFIGURED | _UNFINISHED:
        raise _bad_status(text, name, path, line)
    return " ".join(words)


def _bad_status(text: str, name: str, path: str, line: int) -> CouldNotLook:
    given = f"the Status {excerpt(text)}" if text else "no Status"
    return damaged(path, f"the entry at line {line}, {excerpt(name)}, has {given}: three words of dpkg(1) belong there")


def _source(text: str, name: str, version: str) -> tuple[str, str]:
    """The source package and its version; where dpkg does not say, they are the package's own (deb-control(5))."""
    source, _, source_version = text.partition("(")
    return source.strip() or name, source_version.strip().removesuffix(")") or version


def _provides(text: str) -> tuple[Provided, ...]:
    return tuple(_provided(part) for part in text.split(",")) if text else ()


def _provided(text: str) -> Provided:
    """`name`, `name:arch` or `name (= version)`."""
    name, _, version = text.partition("(")
    return Provided(name.strip().partition(":")[0], version.strip().removesuffix(")").removeprefix("=").strip())
