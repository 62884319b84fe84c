"""Documents of images with anything in them: our errors, or a tree."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootfs_kit.errors import RootfsKitError
from rootfs_kit.tree import open_rootfs
from tests.tree_archive.workshop import END, Image, header, layout, put_blob

SOME = settings(max_examples=150, deadline=None)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 70) | st.text(max_size=8) | st.floats(allow_nan=True),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)


def changed(data: st.DataObject, document: Any) -> Any:
    """`document` with one value, somewhere in it, replaced, removed or repeated."""
    document = copy.deepcopy(document)
    here: Any = document
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            return data.draw(values)
        key = data.draw(st.sampled_from(keys))
        if isinstance(here[key], dict | list) and here[key] and data.draw(st.booleans()):
            here = here[key]
            continue
        match data.draw(st.sampled_from(("replace", "remove", "repeat"))):
            case "replace":
                here[key] = data.draw(values)
            case "remove":
                del here[key]
            case "repeat" if isinstance(here, list):
                here.append(here[key])
        return document


def opened(place: Path | str) -> None:
    try:
        assert len(open_rootfs(place)) >= 1
    except RootfsKitError as error:
        assert error.found and error.hint


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("good")
    (place / "layer").write_bytes(header(b"etc/", b"5") + END)
    return layout(place / "layout", Image((place / "layer",), "v1", platform={"architecture": "amd64", "os": "linux"}))


def blob(made: Path, descriptor: dict) -> Any:
    return json.loads((made / "blobs/sha256" / descriptor["digest"].partition(":")[2]).read_text())


@SOME
@given(st.data())
def test_random_changes_of_a_layout(good: Path, data: st.DataObject) -> None:
    """In the index, the manifest or the config; the digests above are those of what is there."""
    with tempfile.TemporaryDirectory() as place:
        made = Path(shutil.copytree(good, Path(place) / "layout"))
        index = json.loads((made / "index.json").read_text())
        manifest = blob(made, index["manifests"][0])
        config = blob(made, manifest["config"])
        which = data.draw(st.sampled_from(("index", "manifest", "config")))
        if which == "config":
            manifest["config"] = put_blob(made / "blobs/sha256", json.dumps(changed(data, config)).encode(), "")
        document = changed(data, manifest) if which == "manifest" else manifest
        index["manifests"][0] |= put_blob(made / "blobs/sha256", json.dumps(document).encode(), "")
        index = changed(data, index) if which == "index" else index
        (made / "index.json").write_text(json.dumps(index))
        opened(f"oci:{made}")


@SOME
@given(st.data())
def test_random_changes_of_a_docker_save(data: st.DataObject) -> None:
    layer = header(b"etc/", b"5") + END
    diff_id = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    config: Any = {"architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    manifest: Any = [{"Config": "config.json", "RepoTags": ["made:1"], "Layers": ["layer.tar"]}]
    if data.draw(st.booleans()):
        config = changed(data, config)
    else:
        manifest = changed(data, manifest)
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "layer.tar").write_bytes(layer)
        (Path(place) / "config.json").write_text(json.dumps(config))
        (Path(place) / "manifest.json").write_text(json.dumps(manifest))
        opened(f"docker-archive:{place}")


@SOME
@given(st.binary(max_size=300))
def test_random_bytes_for_an_index(good: Path, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        made = Path(shutil.copytree(good, Path(place) / "layout"))
        (made / "index.json").write_bytes(data)
        opened(f"oci:{made}")
