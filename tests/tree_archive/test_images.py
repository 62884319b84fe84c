"""Images: which one is meant, that its blobs are what it says, and the tree that its layers make."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rootfs_kit.errors import BadArchive, UsageError
from rootfs_kit.tree import RootfsTree, open_rootfs
from tests.support.requirements import needs_program, needs_root
from tests.tree_archive.workshop import END, Image, header, layout, members, put_blob, shared_names, tar, told

BASE = [
    ("dir", "etc"),
    ("file", "etc/a", "base"),
    ("file", "etc/b", "base"),
    ("dir", "opt/deep"),
    ("file", "opt/deep/x", "x"),
]

LAYERS = {
    "a file is replaced": [BASE, [("file", "etc/a", "upper")]],
    "a file is taken away": [BASE, [("file", "etc/.wh.a", "")]],
    "a directory is taken away": [BASE, [("file", ".wh.opt", "")]],
    "what is not there is taken away": [BASE, [("file", "etc/.wh.nothing", ""), ("file", "no/.wh.such", "")]],
    "a directory is emptied": [BASE, [("dir", "etc"), ("file", "etc/.wh..wh..opq", ""), ("file", "etc/new", "new")]],
    "a directory is emptied behind its new entries": [
        BASE, [("dir", "etc"), ("file", "etc/new", "new"), ("file", "etc/.wh..wh..opq", "")],
    ],
    "a directory becomes a file": [BASE, [("file", "opt", "file")]],
    "a directory becomes a link": [BASE, [("link", "opt", "etc")]],
    "a file becomes a directory": [BASE, [("dir", "etc/a"), ("file", "etc/a/b", "below")]],
    "a link becomes a directory": [[*BASE, ("link", "lib", "etc")], [("dir", "lib"), ("file", "lib/f", "f")]],
    "a directory stays what it was": [BASE, [("file", "etc/c", "c")], [("dir", "opt")]],
    "what was taken away comes back": [BASE, [("file", ".wh.opt", "")], [("dir", "opt"), ("file", "opt/new", "new")]],
    "a hard link into a lower layer": [BASE, [("hard", "etc/other", "etc/a")]],
    "a hard link, and its file replaced": [[*BASE, ("hard", "etc/other", "etc/a")], [("file", "etc/a", "upper")]],
    "a hard link over a file": [BASE, [("hard", "etc/b", "etc/a")]],
    "a member below a link of a lower layer": [[*BASE, ("link", "conf", "etc")], [("file", "conf/c", "through")]],
    "a member below an absolute link": [[*BASE, ("link", "conf", "/etc")], [("file", "conf/c", "through")]],
    "three layers": [
        BASE, [("file", "etc/.wh.a", ""), ("file", "c", "c")], [("file", "etc/a", "again"), ("file", ".wh.c", "")],
    ],
}  # fmt: skip


def stacked(tmp_path: Path, *layers: list[tuple]) -> Path:
    packed = tuple(members(tmp_path / f"layer-{number}", *wanted) for number, wanted in enumerate(layers))
    return layout(tmp_path / "layout", Image(packed))


def without_times(tree: RootfsTree) -> dict[str, tuple]:
    """A member below a directory changes the directory's time where it is really unpacked."""
    return {path: (*facts[:5], *facts[6:]) for path, facts in told(tree).items() if path != "/"}


@needs_root()
@needs_program("umoci")
@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_layers_make_what_umoci_makes_of_them(tmp_path: Path, layers: list[list[tuple]]) -> None:
    made = stacked(tmp_path, *layers)
    subprocess.run(
        ["umoci", "unpack", "--image", f"{made}:latest", tmp_path / "bundle"], check=True, capture_output=True
    )
    tree, referee = open_rootfs(made), open_rootfs(tmp_path / "bundle/rootfs")
    assert without_times(tree) == without_times(referee)
    assert shared_names(tree) == shared_names(referee)
    assert tree.unreadable == ()


def test_whiteouts_hide_only_what_is_in_lower_layers(tmp_path: Path) -> None:
    """layer.md: "Whiteout files MUST only apply to resources in lower/parent layers", wherever they are."""
    upper = [("dir", "etc"), ("file", "etc/a", "new"), ("file", "etc/.wh.a", ""), ("file", "etc/.wh.b", "")]
    tree = open_rootfs(stacked(tmp_path, BASE, upper))
    assert tree.file("/etc/a").read_text() == "new"
    assert tree.listdir("/etc") == ["a"]


def test_metadata_of_aufs_is_passed_over(tmp_path: Path) -> None:
    tree = open_rootfs(
        stacked(tmp_path, BASE, [("dir", ".wh..wh.plnk"), ("file", ".wh..wh.plnk/1.2", ""), ("file", "new", "")])
    )
    assert tree.listdir("/") == ["etc", "new", "opt"]


@pytest.mark.parametrize(
    ("upper", "path"),
    [
        ([("file", "../evil", "x")], "/evil"),
        ([("file", "../../etc/.wh.a", "x")], "/etc/.wh.a"),
        ([("file", "etc/.wh...", "x")], "/etc/.wh..."),
        ([("file", "etc/.wh.", "x")], "/etc/.wh."),
        ([("file", "etc/a/b", "x")], "/etc/a/b"),
        ([("hard", "c", "nothing")], "/c"),
        ([("file", ".", "x")], "/"),
    ],
)
def test_of_a_member_that_cannot_be_applied_nothing_is_known(tmp_path: Path, upper: list[tuple], path: str) -> None:
    tree = open_rootfs(stacked(tmp_path, BASE, upper))
    assert {each.path for each in tree.unreadable} == {path}


ARM = {"architecture": "arm64", "os": "linux", "variant": "v8"}
AMD = {"architecture": "amd64", "os": "linux"}


@pytest.fixture
def for_two_machines(tmp_path: Path) -> Path:
    """A layout whose tag names an index, as a registry's multi-architecture image is."""
    arm, amd = (members(tmp_path / name, ("file", name, name)) for name in ("arm", "amd"))
    made = layout(
        tmp_path / "layout",
        Image((arm,), None, "arm64", ARM),
        Image((amd,), None, "amd64", AMD),
    )
    inner = json.loads((made / "index.json").read_text())
    inner["manifests"].append(
        {**inner["manifests"][0], "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    )
    kind = "application/vnd.oci.image.index.v1+json"
    descriptor = put_blob(made / "blobs/sha256", json.dumps(inner).encode(), kind)
    descriptor["annotations"] = {"org.opencontainers.image.ref.name": "v1"}
    (made / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [descriptor]}))
    return made


@pytest.mark.parametrize(("arch", "found"), [("arm64", "arm"), ("aarch64", "arm"), ("x86_64", "amd"), ("amd64", "amd")])
def test_machine_chooses_from_an_index(for_two_machines: Path, arch: str, found: str) -> None:
    assert open_rootfs(f"oci:{for_two_machines}:v1", arch=arch).listdir("/") == [found]


def test_this_host_chooses_where_nobody_does(for_two_machines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: type("Uname", (), {"machine": "aarch64"}))
    assert open_rootfs(for_two_machines).listdir("/") == ["arm"]


def test_missing_machine_is_answered_with_those_that_there_are(for_two_machines: Path) -> None:
    with pytest.raises(BadArchive, match=r"no image is for s390x; there is linux/arm64/v8, linux/amd64"):
        open_rootfs(for_two_machines, arch="s390x")


def test_only_image_is_taken_whatever_it_is_for_unless_a_machine_is_named(tmp_path: Path) -> None:
    made = layout(tmp_path / "layout", Image((members(tmp_path / "x", ("file", "f", "")),), architecture="s390x"))
    assert open_rootfs(made).listdir("/") == ["f"]
    assert open_rootfs(made, arch="s390x").listdir("/") == ["f"]
    with pytest.raises(BadArchive, match="for s390x, not for arm64"):
        open_rootfs(made, arch="arm64")


def test_one_of_several_images_must_be_named(tmp_path: Path) -> None:
    first, second = (members(tmp_path / name, ("file", name, name)) for name in ("first", "second"))
    made = layout(tmp_path / "layout", Image((first,), "one"), Image((second,), "two"))
    with pytest.raises(BadArchive, match="there is one, two"):
        open_rootfs(made)
    with pytest.raises(BadArchive, match="no image in it is called three; there is one, two"):
        open_rootfs(f"oci:{made}:three")
    assert open_rootfs(f"oci:{made}:two").listdir("/") == ["second"]
    digest = json.loads((made / "index.json").read_text())["manifests"][0]["digest"]
    assert open_rootfs(f"oci:{made}@{digest}").listdir("/") == ["first"]


def test_colons_in_a_path_are_part_of_it(tmp_path: Path) -> None:
    made = layout(tmp_path / "a:b", Image((members(tmp_path / "x", ("file", "f", "")),), "v:1"))
    for target in (made, f"oci:{made}", f"oci:{made}:v:1"):
        assert open_rootfs(target).listdir("/") == ["f"]
    (tmp_path / "oci:dir").mkdir()
    (tmp_path / "oci:dir/f").touch()
    here = Path.cwd()
    try:
        os.chdir(tmp_path)
        assert open_rootfs("oci:dir").source_kind == "directory"
    finally:
        os.chdir(here)


def spoil(change: Callable[[Path, dict], None]) -> Callable[[Path], None]:
    def act(made: Path) -> None:
        index = json.loads((made / "index.json").read_text())
        change(made, index)
        (made / "index.json").write_text(json.dumps(index))

    return act


def largest_blob(made: Path) -> Path:
    return max((made / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)


def become_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


DAMAGES = {
    "a layer is another one": (lambda made: flip(largest_blob(made)), "is damaged: its digest is sha256:"),
    "a layer is not there": (lambda made: largest_blob(made).unlink(), "its layer .* is not there"),
    "a layer is a directory": (lambda made: become_directory(largest_blob(made)), "is not there"),
    "the index is no JSON": (lambda made: (made / "index.json").write_text("{"), "is no JSON document"),
    "the index is nested without end": (lambda made: (made / "index.json").write_text("[" * 100_000), "is no JSON"),
    "the index is a list": (lambda made: (made / "index.json").write_text("[]"), "is no JSON object"),
    "the index is empty": (lambda made: (made / "index.json").write_text("{}"), "manifests of /index.json is no list"),
    "there is no image": (lambda made: (made / "index.json").write_text('{"manifests": []}'), "there is none"),
    "a digest climbs": (
        spoil(lambda made, index: index["manifests"][0].update(digest="sha256:../../etc/passwd")), "has no digest",
    ),
    "a digest of no kind": (spoil(lambda made, index: index["manifests"][0].update(digest="md5:00")), "has no digest"),
    "a digest is a number": (spoil(lambda made, index: index["manifests"][0].update(digest=5)), "has no digest"),
    "a size is a text": (spoil(lambda made, index: index["manifests"][0].update(size="5")), "has no size"),
    "the manifest is another one": (
        lambda made: flip(made / "blobs/sha256" / manifest_digest(made)), "is damaged: its digest is",
    ),
    "the manifest is huge": (
        lambda made: os.truncate(made / "blobs/sha256" / manifest_digest(made), 1 << 40), "is larger than 8 MiB",
    ),
}  # fmt: skip


def manifest_digest(made: Path) -> str:
    return json.loads((made / "index.json").read_text())["manifests"][0]["digest"].removeprefix("sha256:")


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_layouts_are_told_from_good_ones(tmp_path: Path, damage: Callable[[Path], object], said: str) -> None:
    made = stacked(tmp_path, BASE)
    damage(made)
    with pytest.raises(BadArchive, match=said):
        open_rootfs(f"oci:{made}")


def saved(tmp_path: Path, config: dict, layers: dict[str, bytes], **more: object) -> Path:
    """A docker-save directory by hand."""
    place = tmp_path / "saved"
    for name, data in {"config.json": json.dumps(config).encode(), **layers}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    image = {"Config": "config.json", "RepoTags": ["made:1"], "Layers": list(layers), **more}
    (place / "manifest.json").write_text(json.dumps([image]))
    return place


def test_layers_of_docker_save_are_held_to_the_digests_of_the_config(tmp_path: Path) -> None:
    import hashlib

    layer = header(b"etc/", b"5") + END
    good = {"architecture": "amd64", "rootfs": {"diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}}
    assert open_rootfs(saved(tmp_path / "good", good, {"0/layer.tar": layer})).listdir("/") == ["etc"]
    with pytest.raises(BadArchive, match="is damaged: its digest"):
        open_rootfs(saved(tmp_path / "bad", good, {"0/layer.tar": layer + bytes(512)}))
    with pytest.raises(BadArchive, match=r"tells of 1 layers and manifest\.json of 2"):
        open_rootfs(saved(tmp_path / "two", good, {"0/layer.tar": layer, "1/layer.tar": layer}))
    with pytest.raises(BadArchive, match="no image in it is called other; there is made:1"):
        open_rootfs(f"docker-archive:{tmp_path}/good/saved:other")


@pytest.mark.parametrize("path", ["../../../etc/passwd", "/etc/passwd", "loop", "nothing"])
def test_layers_are_looked_for_inside_the_image_only(tmp_path: Path, path: str) -> None:
    config = {"architecture": "amd64", "rootfs": {"diff_ids": ["sha256:" + "0" * 64]}}
    place = saved(tmp_path, config, {}, Layers=[path])
    (place / "loop").symlink_to("loop")
    with pytest.raises(BadArchive, match="is not there"):
        open_rootfs(place)


def test_files_of_an_image_planted_in_a_rootfs_do_not_make_it_one(tmp_path: Path) -> None:
    """Or else a tree could have another one judged in its place."""
    planted = stacked(tmp_path, BASE)
    (planted / "sbin").mkdir()
    (planted / "manifest.json").write_text("[]")
    assert open_rootfs(planted).source_kind == "directory"
    assert open_rootfs(tar(planted, tmp_path / "x.tar")).source_kind == "tar"


def test_prefix_demands_an_image(tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    for prefix, mark in (("oci", "index.json"), ("docker-archive", "manifest.json")):
        for target in (tmp_path / "root", tar(tmp_path / "root", tmp_path / "x.tar")):
            with pytest.raises(BadArchive, match=f"it has no {mark}"):
                open_rootfs(f"{prefix}:{target}")
    with pytest.raises(UsageError, match="no such directory or archive"):
        open_rootfs(f"oci:{tmp_path}/nowhere:v1")
