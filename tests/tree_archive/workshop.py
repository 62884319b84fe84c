"""Trees, what is told of them, and the real tools that pack them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rootfs_kit.tree import Kind, RootfsTree

EPOCH = 1_700_000_000
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
"""security.capability of a file with cap_net_raw (linux/capability.h, revision 2)."""


def told(tree: RootfsTree, *, xattrs: bool = True) -> dict[str, tuple]:
    """All that a tree says of each of its entries, contents included; what a directory's size is, is left out."""
    return {entry.path: _told_of(tree, entry, xattrs) for entry in tree.walk()}


def _told_of(tree: RootfsTree, entry, xattrs: bool) -> tuple:
    content = tree.file(entry.path).sha256() if entry.is_file else None
    size = 0 if entry.is_directory else entry.size
    links = entry.links if entry.is_file else 1
    attributes = dict(tree.xattrs(entry.path)) if xattrs and not entry.is_symlink else None
    known = entry.kind, entry.mode, entry.uid, entry.gid, size, int(entry.mtime), entry.target, entry.device, links
    return (*known, content, attributes)


def shared_names(tree: RootfsTree) -> set[frozenset[str]]:
    """The sets of paths that are one file."""
    groups: dict[object, set[str]] = {}
    for entry in tree.walk():
        if entry.kind is Kind.FILE and entry.links > 1:
            groups.setdefault(entry.file_id, set()).add(entry.path)
    return {frozenset(group) for group in groups.values()}


def everything(root: Path) -> Path:
    """A tree with every kind of entry and every kind of name that a file system takes. Needs root."""
    for directory in ("etc", "dev", "usr/lib", "usr/bin", "empty", "tmp"):
        (root / directory).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "lib").symlink_to("usr/lib")
    (root / "etc/absolute").symlink_to("/usr/bin/tool")
    (root / "etc/nowhere").symlink_to("no/such/place")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/nothing").write_bytes(b"")
    (root / "usr/bin/tool").write_bytes(os.urandom(70_000))
    (root / "usr/bin/tool").chmod(0o4755)
    os.link(root / "usr/bin/tool", root / "usr/bin/other-name")
    os.link(root / "usr/bin/tool", root / "usr/bin/third-name")
    os.mkfifo(root / "dev/fifo", 0o600)
    os.mknod(root / "dev/console", 0o20600, os.makedev(5, 1))
    os.mknod(root / "dev/vda", 0o60660, os.makedev(254, 300))
    os.chown(root / "etc/passwd", 1234, 4321)
    _strange_names(root / "usr/lib")
    for place in (*root.rglob("*"), root):
        os.utime(place, (EPOCH, EPOCH), follow_symlinks=False)
    return root


def _strange_names(directory: Path) -> None:
    for name in (
        b"a\nnewline",
        b"esc\x1b[2J",
        b"latin-\xe9",
        "snowman-\u2603".encode(),
        b" spaces ",
        b"x" * 255,
        b"-n",
    ):
        (Path(os.fsdecode(os.fsencode(directory) + b"/" + name))).write_bytes(name)
    deep = directory / ("/".join(["a-rather-long-name-of-a-directory"] * 8))
    deep.mkdir(parents=True)
    (deep / "file").write_text("deep")
    (directory / "long-link").symlink_to("../" + "target/" * 30 + "end")


def with_xattrs(root: Path) -> Path:
    os.setxattr(root / "usr/bin/tool", "security.capability", CAPABILITY)
    os.setxattr(root / "etc", "user.note", b"binary \0 = \n value")
    os.utime(root / "etc", (EPOCH, EPOCH))
    return root


def run(*argv: object, cwd: Path | None = None, data: bytes | None = None) -> bytes:
    return subprocess.run([str(each) for each in argv], cwd=cwd, input=data, capture_output=True, check=True).stdout


def tar(root: Path, output: Path, *options: str) -> Path:
    """What GNU tar makes of the tree."""
    run("tar", "-C", root, "--sort=name", *options, "-cf", output, ".")
    return output


def cpio(root: Path, output: Path, form: str = "newc") -> Path:
    """What GNU cpio makes of the tree."""
    names = run("find", ".", "-print0", cwd=root)
    output.write_bytes(run("cpio", "-o", "-0", "--quiet", "-H", form, cwd=root, data=names))
    return output


def compressed(file: Path, *command: str) -> Path:
    """The file as `command` (with -c, or the like) writes it."""
    output = file.with_name(f"{file.name}.{command[0]}")
    output.write_bytes(run(*command, file))
    return output


def newc(
    name: bytes, mode: int, body: bytes = b"", *, ino: int = 0, uid: int = 0, gid: int = 0, links: int = 1,
    device: tuple[int, int] = (0, 0), magic: bytes = b"070701", checksum: int = 0, name_size: int | None = None,
) -> bytes:  # fmt: skip
    """One entry of a cpio archive, by hand."""
    size = len(name) + 1 if name_size is None else name_size
    fields = (ino, mode, uid, gid, links, EPOCH, len(body), 0, 0, *device, size, checksum)
    head = magic + b"".join(b"%08X" % each for each in fields) + name + b"\0"
    return padded(padded(head) + body)


def padded(data: bytes, to: int = 4) -> bytes:
    return data + bytes(-len(data) % to)


TRAILER = newc(b"TRAILER!!!", 0)


def header(name: bytes, kind: bytes = b"0", size: int | bytes = 0, link: bytes = b"", **fields: bytes) -> bytes:
    """One header of a tar (ustar), by hand; `fields` are raw bytes at places of their own."""
    block = bytearray(512)
    places = {"mode": 100, "uid": 108, "gid": 116, "size": 124, "mtime": 136, "magic": 257, "rest": 386, "prefix": 345}
    values = {
        "mode": b"0000644",
        "uid": b"0000000",
        "gid": b"0000000",
        "size": size if isinstance(size, bytes) else b"%011o" % size,
        "magic": b"ustar\x0000",
    }
    values |= {"mtime": b"%011o" % EPOCH, **fields}
    block[: len(name)] = name
    for key, value in values.items():
        block[places[key] : places[key] + len(value)] = value
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(records: Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]], kind: bytes = b"x") -> bytes:
    """An extended header by hand."""
    pairs = records.items() if isinstance(records, Mapping) else records
    data = b"".join(_record(key, value) for key, value in pairs)
    return header(b"pax", kind, len(data)) + padded(data, 512)


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    size = len(rest) + 1
    while len(b"%d" % size) + len(rest) != size:
        size = len(b"%d" % size) + len(rest)
    return b"%d" % size + rest


END = bytes(1024)


@dataclass(frozen=True)
class Image:
    """One image of a layout: its layers as tar files, lowest first."""

    layers: tuple[Path, ...]
    tag: str | None = "latest"
    architecture: str = "amd64"
    platform: dict = field(default_factory=dict)
    media_type: str = "application/vnd.oci.image.layer.v1.tar"


def layout(directory: Path, *images: Image) -> Path:
    """An OCI image layout with these images."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    manifests = [_put_image(blobs, image) for image in images]
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
    return directory


def _put_image(blobs: Path, image: Image) -> dict:
    diff_ids = [f"sha256:{hashlib.sha256(plain(layer)).hexdigest()}" for layer in image.layers]
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    config = {"architecture": image.architecture, "os": "linux", "rootfs": rootfs}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put_blob(blobs, json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [put_blob(blobs, layer.read_bytes(), image.media_type) for layer in image.layers],
    }
    descriptor = put_blob(blobs, json.dumps(manifest).encode(), manifest["mediaType"])
    if image.tag:
        descriptor["annotations"] = {"org.opencontainers.image.ref.name": image.tag}
    if image.platform:
        descriptor["platform"] = image.platform
    return descriptor


def plain(layer: Path) -> bytes:
    """The tar in a layer, which may be compressed."""
    command = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}.get(layer.read_bytes()[:2])
    return run(command, "-dc", layer) if command else layer.read_bytes()


def put_blob(blobs: Path, data: bytes, media_type: str) -> dict:
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


def members(output: Path, *wanted: tuple) -> Path:
    """A tar of members: ("file", name, content), ("dir", name), ("link", name, text), ("hard", name, target)."""
    kinds = {"dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}
    with tarfile.open(output, "w", format=tarfile.PAX_FORMAT) as archive:
        for kind, name, *rest in wanted:
            info = tarfile.TarInfo(name)
            info.mode, info.mtime = 0o755, EPOCH
            if kind == "file":
                content = output.with_name("content")
                content.write_bytes(rest[0].encode())
                info.size = content.stat().st_size
                with content.open("rb") as file:
                    archive.addfile(info, file)
                continue
            info.type = kinds[kind]
            info.linkname = rest[0] if rest else ""
            archive.addfile(info)
    return output


def docker_save(archive: Path, output: Path, name: str) -> Path:
    """What Docker Engine saves after it imported the tar `archive`."""
    run("docker", "import", archive, name)
    try:
        run("docker", "save", name, "-o", output)
    finally:
        run("docker", "rmi", name)
    return output


def copy_of(root: Path, target: Path) -> Path:
    shutil.copytree(root, target, symlinks=True)
    return target


def body_blocks(data: bytes) -> bytes:
    """The content of a tar's member, filled up to whole blocks."""
    return padded(data, 512)
