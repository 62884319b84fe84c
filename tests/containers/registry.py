"""A registry of one image, as files that any web server can give: the protocol's part for pulling."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

from tests.support.debian_archive import served

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Registry(SimpleHTTPRequestHandler):
    """Gives manifests their type, without which they are not taken for any, and answers at its root."""

    def guess_type(self, path: str | os.PathLike[str]) -> str:
        return MANIFEST if "/manifests/" in str(path) else "application/octet-stream"


@contextmanager
def registry(layer: Path, directory: Path, name: str, tag: str) -> Iterator[str]:
    """The address of a registry on this host, whose image `name:tag` is the tree of a gzipped tar."""
    content = layer.read_bytes()
    unpacked = hashlib.sha256(gzip.decompress(content)).hexdigest()
    config = {
        "architecture": "amd64", "os": "linux", "config": {}, "history": [{"created_by": "the tests"}],
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{unpacked}"]},
    }  # fmt: skip
    place = directory / "v2" / name
    for below in ("blobs", "manifests"):
        (place / below).mkdir(parents=True)
    config_blob = _blob(place, json.dumps(config).encode(), CONFIG)
    layers = [_blob(place, content, LAYER)]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config_blob, "layers": layers}).encode()
    for called in (tag, f"sha256:{hashlib.sha256(manifest).hexdigest()}"):
        (place / "manifests" / called).write_bytes(manifest)
    with served(directory, Registry) as url:
        yield url.removeprefix("http://")


def _blob(place: Path, content: bytes, kind: str) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    (place / "blobs" / digest).write_bytes(content)
    return {"mediaType": kind, "size": len(content), "digest": digest}
