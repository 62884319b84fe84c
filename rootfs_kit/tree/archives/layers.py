"""The layers of an image: where each is, that it is the one that the image means, and the tree that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.spelling import spelt
from rootfs_kit.tree.archives.documents import bad, require_digest
from rootfs_kit.tree.archives.growth import Growth
from rootfs_kit.tree.archives.layer_unpacker import apply_layers
from rootfs_kit.tree.archives.media import Media, Slice
from rootfs_kit.tree.archives.recognition import tar_in
from rootfs_kit.tree.archives.source import ArchiveSource
from rootfs_kit.tree.archives.tar import read_tar
from rootfs_kit.tree.directory import DirectorySource
from rootfs_kit.tree.paths import shown
from rootfs_kit.tree.tree import RootfsTree

MOST_LAYERS = 1000
"""Overlay file systems of Linux take 500."""


@dataclass(frozen=True)
class Layer:
    """`path` is the blob's place in the image's own tree; `digest` and `size` (bytes) are those of the blob, `diff_id`
    is the digest of the tar in it, where the image says so."""

    path: str
    digest: str | None = None
    size: int | None = None
    diff_id: str | None = None


@dataclass(frozen=True)
class Container:
    """What an image is kept in: a directory, or an archive, which is read as a tree of its own."""

    tree: RootfsTree
    source: DirectorySource | ArchiveSource
    media: Media


def stacked(kind: str, container: Container, layers: Sequence[Layer]) -> ArchiveSource:
    """The tree that the layers make, lowest first. Raises BadArchive for one that is missing, damaged or no tar."""
    if len(layers) > MOST_LAYERS:
        raise bad(container.tree, f"it has {len(layers)} layers")
    growth = Growth(container.media.budget)
    verified: set[tuple[str, str]] = set()
    parts = [_tar_of(container, layer, verified) for layer in layers]
    apply_layers([partial(read_tar, part) for part in parts], growth)
    return ArchiveSource(kind, growth, container.media)


def _tar_of(container: Container, layer: Layer, verified: set[tuple[str, str]]) -> Slice:
    part = _blob(container, layer)
    if layer.size is not None and part.size != layer.size:
        raise bad(container.tree, f"its layer {shown(layer.path)[:200]} has {part.size} bytes instead of {layer.size}")
    _verify(container, layer, part, layer.digest, verified)
    tar = tar_in(part, container.media)
    _verify(container, layer, tar, layer.diff_id, verified)
    return tar


def _verify(
    container: Container, layer: Layer, part: Slice, digest: str | None, verified: set[tuple[str, str]]
) -> None:
    """An image may name a layer a thousand times: each is read once for its digest."""
    if digest is None or (layer.path, digest) in verified:
        return
    limit = container.media.budget.limits.unpacked
    if part.size > limit:
        hint = f"Allow more with {spelt('max-size')}, if that is meant."
        raise bad(container.tree, f"a layer of {part.size} bytes", hint)
    require_digest(container.tree, layer.path, part.chunks(), digest)
    verified.add((layer.path, digest))


def _blob(container: Container, layer: Layer) -> Slice:
    try:
        entry = container.tree.resolve(layer.path).entry
        if entry is None or not entry.is_file:
            raise bad(container.tree, f"its layer {shown(layer.path)[:200]} is not there", "Get the whole image.")
        if isinstance(container.source, ArchiveSource):
            return container.source.part(entry)
        return container.media.add(container.source.open(entry), f"{container.tree.name}{shown(entry.path)}")
    except CouldNotLook as error:
        raise bad(container.tree, f"its layer {shown(layer.path)[:200]} cannot be read: {error.found}") from error
