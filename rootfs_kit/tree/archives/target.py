"""What a user may name as a rootfs: a path, or a way to keep images with a path and a name in it.

The prefixes are those of skopeo and podman (containers-transports(5)).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rootfs_kit.errors import UsageError

OCI, DOCKER = "oci", "docker-archive"
PREFIXES = {"oci": OCI, "oci-archive": OCI, "docker-archive": DOCKER}


class Target(NamedTuple):
    """`image` says that the path must be an image of that kind; `reference` which of its images is meant."""

    path: Path
    image: str | None = None
    reference: str | None = None


def parse_target(text: str) -> Target:
    """`oci:PATH[:NAME]`, `oci-archive:PATH[:NAME]`, `docker-archive:PATH[:NAME]`, or a path.

    What exists under the whole text is a path. A colon may be part of a path: the first division that leaves an
    existing path is meant. Raises UsageError for an empty text, which would be the current directory.
    """
    if not text:
        raise UsageError(
            "opening the rootfs", "its name is empty", "Name a directory or an archive; is a variable not set?"
        )
    prefix, colon, rest = text.partition(":")
    if not colon or prefix not in PREFIXES or os.path.lexists(text):
        return Target(Path(text))
    kind = PREFIXES[prefix]
    for path, reference in _divisions(rest):
        if os.path.exists(path):
            return Target(Path(path), kind, reference or None)
    path, _, reference = rest.partition(":")
    return Target(Path(path), kind, reference or None)


def _divisions(text: str) -> Iterator[tuple[str, str]]:
    yield text, ""
    for place, letter in enumerate(text):
        if letter in ":@" and place:
            yield text[:place], text[place + (letter == ":") :]
