"""What `docker save` and `podman save` write: manifest.json, and layers beside it.

Source: the Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import re

from rootfs_kit.tree.archives.documents import (
    DIGEST,
    Document,
    as_document,
    as_list,
    as_texts,
    bad,
    parsed,
    read_document,
    read_file,
    require_digest,
)
from rootfs_kit.tree.archives.layers import Layer
from rootfs_kit.tree.archives.platforms import go_name
from rootfs_kit.tree.paths import normalise, shown
from rootfs_kit.tree.tree import RootfsTree

MANIFEST = "/manifest.json"
CONFIG_NAME = re.compile(r"(?:.*/)?([0-9a-f]{64})(?:\.json)?")


def layers_of_save(tree: RootfsTree, reference: str | None, arch: str | None) -> list[Layer]:
    """The layers of the image that is called `reference`, lowest first. Raises BadArchive."""
    images = [as_document(each, tree, MANIFEST) for each in as_list(read_document(tree, MANIFEST), tree, MANIFEST)]
    image = _chosen(tree, images, reference)
    config = _config(tree, image)
    found = config.get("architecture")
    if arch is not None and found != go_name(arch):
        raise bad(tree, f"the image is for {shown(str(found))[:40]}, not for {go_name(arch)}", "Name another image.")
    paths = [normalise(path) for path in as_texts(image.get("Layers") or [], tree, "Layers of manifest.json")]
    rootfs = as_document(config.get("rootfs"), tree, "rootfs of the config")
    digests = as_texts(rootfs.get("diff_ids") or [], tree, "diff_ids of the config")
    if len(paths) != len(digests):
        raise bad(tree, f"its config tells of {len(digests)} layers and manifest.json of {len(paths)}")
    for digest in digests:
        if not DIGEST.fullmatch(digest):
            raise bad(tree, f"a layer has no digest that is known: {shown(digest)[:100]}")
    return [Layer(path, diff_id=digest) for path, digest in zip(paths, digests, strict=True)]


def _chosen(tree: RootfsTree, images: list[Document], reference: str | None) -> Document:
    names = [as_texts(image.get("RepoTags") or [], tree, "RepoTags of manifest.json") for image in images]
    if reference is not None:
        wanted = {reference, f"{reference}:latest", f"docker.io/library/{reference}", f"docker.io/{reference}"}
        named = [image for image, tags in zip(images, names, strict=True) if wanted & set(tags)]
    else:
        named = images
    if len(named) == 1:
        return named[0]
    listed = ", ".join(shown(tag) for tags in names for tag in tags[:1] or ["one without a tag"]) or "nothing"
    why = f"no image in it is called {shown(reference)}" if reference is not None else f"it holds {len(images)} images"
    raise bad(tree, f"{why}; there is {listed}", "Name one of them: docker-archive:FILE:NAME:TAG")


def _config(tree: RootfsTree, image: Document) -> Document:
    path = image.get("Config")
    if not isinstance(path, str):
        raise bad(tree, "manifest.json names no config")
    data = read_file(tree, normalise(path))
    named = CONFIG_NAME.fullmatch(path)
    if named is not None:
        require_digest(tree, path, [data], f"sha256:{named.group(1)}")
    return as_document(parsed(data, tree, path), tree, path)
