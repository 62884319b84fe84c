"""osbuilder.yaml, the summary that osbuilder and rootfs-kit leave in a rootfs, as plain texts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.plain_yaml import NotYaml, load_plain_yaml

SUMMARY = "/var/lib/osbuilder/osbuilder.yaml"
LIMIT = 64 * 1024


class NoSummary(ValueError):
    """The file is no YAML mapping; says why."""


@lru_cache(maxsize=8)
def read_summary(tree: RootfsTree) -> dict[str, Any]:
    """The document in SUMMARY, which must be there. Raises NoSummary, CouldNotLook."""
    data = tree.read_bytes(SUMMARY, LIMIT + 1)
    if len(data) > LIMIT:
        raise NoSummary(f"more than {LIMIT} bytes")
    try:
        document = load_plain_yaml(data)
    except NotYaml as error:
        raise NoSummary(str(error).splitlines()[0]) from error
    if not isinstance(document, dict):
        raise NoSummary("a text or a list")
    return document


def field(document: dict[str, Any], dotted: str) -> str | None:
    """The text at `a.b.c`, empty for what is no text; None where the field is not there."""
    value: Any = document
    for key in dotted.split("."):
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value if isinstance(value, str) else ""
