"""The two documents about packages that builders leave in a rootfs: rootfs-kit's manifest and Kata's osbuilder.yaml.

The manifest lists what was installed. osbuilder.yaml (kata-containers, tools/osbuilder/scripts/lib.sh:157-219) lists
what was asked for, so that its word is held against the files that a package is known by.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rootfs_kit.tree.packages.database import damaged, excerpt, read_database
from rootfs_kit.tree.packages.files import find_evidence
from rootfs_kit.tree.packages.model import Package, PackageSet
from rootfs_kit.tree.packages.version import Rules
from rootfs_kit.tree.plain_yaml import NotYaml, load_plain_yaml

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

MANIFEST = "/var/lib/osbuilder/manifest.json"
SUMMARY = "/var/lib/osbuilder/osbuilder.yaml"
MANIFEST_LIMIT = 16 * 1024 * 1024
SUMMARY_LIMIT = 64 * 1024
REQUESTED = "requested"

_RULES: dict[str, Rules] = {"dpkg": "dpkg", "rpm": "rpm", "apk": "apk", "pacman": "pacman"}


def read_manifest(tree: RootfsTree) -> PackageSet | None:
    """What rootfs-kit installed; None where there is no manifest or no package in it. Raises CouldNotLook."""
    data = read_database(tree, MANIFEST, MANIFEST_LIMIT)
    if data is None:
        return None
    method, packages = parse_manifest(data)
    rules = _RULES.get(method.partition("-")[0])
    return PackageSet("manifest", MANIFEST, packages, rules=rules) if packages else None


def parse_manifest(data: bytes) -> tuple[str, list[Package]]:
    """What the packages were read from when the manifest was written, and the packages. Raises CouldNotLook."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise damaged(MANIFEST, f"it is no JSON document: {excerpt(str(error))}") from error
    section = _table(_table(document, "the document").get("packages") or {}, "packages")
    installed = section.get("installed") or []
    if not isinstance(installed, list):
        raise damaged(MANIFEST, "packages.installed is no list")
    return str(section.get("method")), [_package(entry, place) for place, entry in enumerate(installed)]


def _package(entry: object, place: int) -> Package:
    where = f"packages.installed[{place}]"
    table = _table(entry, where)
    words = [table.get(key, "") for key in ("name", "version", "architecture", "source")]
    if not all(isinstance(word, str) for word in words) or not words[0]:
        raise damaged(MANIFEST, f"{where} does not say name, version, architecture and source in text")
    return Package(*words)


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise damaged(MANIFEST, f"{where} is no table of keys and values")
    return value


def read_summary(tree: RootfsTree) -> PackageSet | None:
    """What osbuilder was asked for, as far as the files do not contradict it, and what the files show besides.

    None where there is no osbuilder.yaml or no package in it, as after an overlay build. Raises CouldNotLook.
    """
    data = read_database(tree, SUMMARY, SUMMARY_LIMIT)
    requested = parse_summary(data) if data is not None else []
    if not requested:
        return None
    evidence = find_evidence(tree)
    packages = {package.name: package for package in evidence.present}
    packages |= {name: Package(name, status=REQUESTED) for name in requested if name not in evidence.absent}
    return PackageSet("osbuilder.yaml", SUMMARY, packages.values(), complete=False, absent=evidence.absent)


def parse_summary(data: bytes) -> list[str]:
    """The names under base-distro.packages, default and extra. Raises CouldNotLook for what is no YAML document."""
    try:
        document = load_plain_yaml(data)
    except NotYaml as error:
        raise damaged(SUMMARY, f"it is no YAML document: {excerpt(str(error))}") from error
    packages = _within(_within(document, "base-distro"), "packages")
    return [name for key in ("default", "extra") for name in _texts(_within(packages, key)) if name]


def _within(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
