"""JSON documents of images: read through the tree that holds them, checked against their digests, never trusted."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rootfs_kit.errors import BadArchive, CouldNotLook
from rootfs_kit.tree.archives.limits import MIB
from rootfs_kit.tree.paths import shown
from rootfs_kit.tree.tree import RootfsTree

LARGEST = 8 * MIB
"""Of one document; registries take 4 MiB."""
DIGEST = re.compile(r"(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")
HINT = "Fetch or make the image again."

Document = dict[str, Any]


@dataclass(frozen=True)
class Descriptor:
    """What an image says of a blob: its digest, its size in bytes, and the document that it says it in."""

    digest: str
    size: int
    media_type: str
    platform: Document
    annotations: Document


def read_document(tree: RootfsTree, path: str) -> Any:
    """The JSON in the file `path`. Raises BadArchive where there is none."""
    return parsed(read_file(tree, path), tree, path)


def read_file(tree: RootfsTree, path: str) -> bytes:
    """The content of a small file. Raises BadArchive."""
    try:
        data = tree.read_bytes(path, LARGEST + 1)
    except CouldNotLook as error:
        raise bad(tree, f"{shown(path)[:200]} cannot be read: {error.found}") from error
    if len(data) > LARGEST:
        raise bad(tree, f"{shown(path)[:200]} is larger than {LARGEST // MIB} MiB")
    return data


def parsed(data: bytes, tree: RootfsTree, path: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise bad(tree, f"{shown(path)[:200]} is no JSON document: {error}") from error


def read_blob(tree: RootfsTree, descriptor: Descriptor) -> Document:
    """The document that a descriptor names. Raises BadArchive where it is not there, or is another."""
    path = blob_path(descriptor.digest)
    data = read_file(tree, path)
    require_digest(tree, path, [data], descriptor.digest)
    return as_document(parsed(data, tree, path), tree, path)


def blob_path(digest: str) -> str:
    return "/blobs/" + digest.replace(":", "/", 1)


def require_digest(tree: RootfsTree, path: str, chunks: Iterable[bytes], digest: str) -> None:
    """Raise BadArchive where what is in `chunks` is not what `digest` says."""
    algorithm, _, wanted = digest.partition(":")
    found = hashlib.new(algorithm)
    for chunk in chunks:
        found.update(chunk)
    if found.hexdigest() != wanted:
        raise bad(tree, f"{shown(path)[:200]} is damaged: its digest is {algorithm}:{found.hexdigest()}")


def descriptors(document: Document, key: str, tree: RootfsTree, path: str) -> Iterator[Descriptor]:
    """The descriptors in the list `key` of a document. Raises BadArchive."""
    for each in as_list(document.get(key), tree, f"{key} of {path}"):
        yield descriptor_of(each, tree, f"{key} of {path}")


def descriptor_of(value: Any, tree: RootfsTree, where: str) -> Descriptor:
    """Raises BadArchive for anything but a descriptor (image-spec, descriptor.md)."""
    document = as_document(value, tree, where)
    digest, size = document.get("digest"), document.get("size")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise bad(tree, f"{where} has no digest that is known: {shown(str(digest))[:100]}")
    if not isinstance(size, int) or isinstance(size, bool):
        raise bad(tree, f"{where} has no size")
    return Descriptor(
        digest,
        size,
        str(document.get("mediaType", "")),
        as_document(document.get("platform") or {}, tree, f"the platform in {where}"),
        as_document(document.get("annotations") or {}, tree, f"the annotations in {where}"),
    )


def as_document(value: Any, tree: RootfsTree, where: str) -> Document:
    if not isinstance(value, dict):
        raise bad(tree, f"{where} is no JSON object")
    return value


def as_list(value: Any, tree: RootfsTree, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise bad(tree, f"{where} is no list")
    return value


def as_texts(value: Any, tree: RootfsTree, where: str) -> list[str]:
    found = as_list(value, tree, where)
    if not all(isinstance(each, str) for each in found):
        raise bad(tree, f"{where} holds something else than texts")
    return found


def bad(tree: RootfsTree, found: str, hint: str = HINT) -> BadArchive:
    return BadArchive(f"reading the image in {shown(tree.name)}", found, hint)
