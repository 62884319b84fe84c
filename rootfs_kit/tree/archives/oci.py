"""An OCI image layout: from its index to the layers of one image (image-spec: image-layout.md, image-index.md)."""

from __future__ import annotations

from rootfs_kit.tree.archives.documents import (
    Descriptor,
    Document,
    as_document,
    as_texts,
    bad,
    blob_path,
    descriptor_of,
    descriptors,
    read_blob,
    read_document,
)
from rootfs_kit.tree.archives.layers import Layer
from rootfs_kit.tree.archives.platforms import chosen, go_name, tag_of
from rootfs_kit.tree.paths import shown
from rootfs_kit.tree.tree import RootfsTree

INDEX = "/index.json"
INDEX_TYPES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
NAMES = ("org.opencontainers.image.ref.name", "io.containerd.image.name")
ATTESTATION = "vnd.docker.reference.type"
DEEPEST = 4
"""An index may name another one; real ones go two deep."""


def layers_of_layout(tree: RootfsTree, reference: str | None, arch: str | None) -> list[Layer]:
    """The layers of the image that is called `reference` in the layout, lowest first. Raises BadArchive."""
    index = as_document(read_document(tree, INDEX), tree, INDEX)
    found = list(descriptors(index, "manifests", tree, INDEX))
    if reference is not None:
        found = _named(found, reference, tree)
    manifest = _manifest(tree, found, arch)
    config = read_blob(tree, descriptor_of(manifest.get("config"), tree, "the config of the manifest"))
    _require_machine(tree, config, arch)
    layers = list(descriptors(manifest, "layers", tree, "the manifest"))
    diff_ids = as_texts(
        as_document(config.get("rootfs"), tree, "rootfs of the config").get("diff_ids"), tree, "diff_ids"
    )
    if len(diff_ids) != len(layers):
        raise bad(tree, f"its config tells of {len(diff_ids)} layers and its manifest of {len(layers)}")
    return [Layer(blob_path(layer.digest), layer.digest, layer.size) for layer in layers]


def _named(found: list[Descriptor], reference: str, tree: RootfsTree) -> list[Descriptor]:
    wanted = reference.removeprefix("@")
    named = [
        each for each in found if each.digest == wanted or any(each.annotations.get(key) == reference for key in NAMES)
    ]
    if not named:
        listed = ", ".join(sorted({tag_of(each) or each.digest[:19] for each in found})[:20]) or "nothing"
        raise bad(tree, f"no image in it is called {shown(reference)}; there is {listed}", "Name one of them.")
    return named


def _manifest(tree: RootfsTree, found: list[Descriptor], arch: str | None) -> Document:
    for _ in range(DEEPEST):
        images = [each for each in found if ATTESTATION not in each.annotations]
        descriptor = chosen(images, arch, tree)
        document = read_blob(tree, descriptor)
        if descriptor.media_type not in INDEX_TYPES and "manifests" not in document:
            return document
        found = list(descriptors(document, "manifests", tree, f"the index {descriptor.digest[:19]}"))
    raise bad(tree, f"its indexes are nested more than {DEEPEST} deep")


def _require_machine(tree: RootfsTree, config: Document, arch: str | None) -> None:
    """What the index does not say, the config does."""
    found = config.get("architecture")
    if arch is not None and found != go_name(arch):
        raise bad(tree, f"the image is for {shown(str(found))[:40]}, not for {go_name(arch)}", "Name another image.")
