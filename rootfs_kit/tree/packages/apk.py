"""apk's list of installed packages (apk-v2(5) "INSTALLED DB": a letter, a colon and a value on each line)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rootfs_kit.tree.packages.database import MAX_TEXT, damaged, excerpt, number_or_none, read_database, text_lines
from rootfs_kit.tree.packages.model import Package, PackageSet, Provided

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

INSTALLED = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")

_WANTED = frozenset("PVAIop")
_PROVIDED = re.compile(r"([^=<>~]+)(?:[=<>~]+(.*))?")


def read_installed(tree: RootfsTree) -> PackageSet | None:
    """What apk says is installed; None where it has no database or an empty one. Raises CouldNotLook."""
    for path in INSTALLED:
        data = read_database(tree, path, MAX_TEXT)
        packages = parse_installed(data, path) if data else []
        if packages:
            return PackageSet("apk", path, packages, rules="apk")
    return None


def parse_installed(data: bytes, path: str) -> list[Package]:
    """Every package of the file. Raises CouldNotLook with the line for a damaged one."""
    lines = text_lines(data, path)
    lines.append("")
    packages: list[Package] = []
    fields: dict[str, str] = {}
    start = 0
    for number, line in enumerate(lines, 1):
        if not line:
            if start:
                packages.append(_package(fields, path, start))
            fields, start = {}, 0
            continue
        if line[1:2] != ":":
            raise damaged(path, f"line {number} is no letter with a value: {excerpt(line)}")
        start = start or number
        if line[0] in _WANTED:
            fields[line[0]] = line[2:]
    return packages


def _package(fields: dict[str, str], path: str, line: int) -> Package:
    name, version = fields.get("P", ""), fields.get("V", "")
    if not name or not version:
        raise damaged(path, f"the entry at line {line} lacks the {'version' if name else 'name'} of the package")
    return Package(
        name,
        version,
        fields.get("A", ""),
        fields.get("o", "") or name,
        installed_size=number_or_none(fields.get("I", "")),
        provides=_provides(fields.get("p", "")),
        source_version=version,
    )


def _provides(text: str) -> tuple[Provided, ...]:
    matches = map(_PROVIDED.fullmatch, text.split())
    return tuple(Provided(match[1], match[2] or "") for match in matches if match)
