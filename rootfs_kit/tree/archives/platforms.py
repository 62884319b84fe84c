"""Which of the images of a multi-architecture index is meant."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rootfs_kit.spelling import spelt
from rootfs_kit.tree.archives.documents import Descriptor, bad
from rootfs_kit.tree.paths import shown
from rootfs_kit.tree.tree import RootfsTree

# GOARCH, which images use, by the kernel's name.
GO_NAMES = {
    "x86_64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386", "armv6l": "arm", "armv7l": "arm",
    "loongarch64": "loong64",
}  # fmt: skip


def go_name(machine: str) -> str:
    """The image world's name of a machine, which may be either's already."""
    return GO_NAMES.get(machine, machine)


def chosen(found: Sequence[Descriptor], arch: str | None, tree: RootfsTree) -> Descriptor:
    """The one for `arch`, or for this host where none is named; the only one, if there is but one and none is named.

    Raises BadArchive with a list of what there is.
    """
    if len(found) == 1 and (arch is None or not found[0].platform):
        return found[0]
    wanted = go_name(arch or os.uname().machine)
    matching = [each for each in found if each.platform.get("architecture") == wanted]
    # Of several (variants of arm, versions of an OS) the first is the one that the index prefers.
    if matching and (arch is not None or len(matching) == 1 or all(each.platform.get("variant") for each in matching)):
        return matching[0]
    listed = ", ".join(dict.fromkeys(_named(each) for each in found)) or "none"
    why = f"no image is for {wanted}" if not matching else "it holds several images"
    raise bad(tree, f"{why}; there is {listed}", f"Name one with {spelt('arch')}, or its tag behind a colon.")


def _named(descriptor: Descriptor) -> str:
    parts = [descriptor.platform.get(key) for key in ("os", "architecture", "variant")]
    platform = "/".join(shown(str(part))[:40] for part in parts if part)
    tag = tag_of(descriptor)
    return f"{tag} ({platform})" if tag and platform else tag or platform or descriptor.digest[:19]


def tag_of(descriptor: Descriptor) -> str:
    """The name that an index gives to an image (image-spec, annotations.md), for people."""
    name = descriptor.annotations.get("org.opencontainers.image.ref.name")
    return shown(str(name))[:100] if name else ""
