"""A package of Alpine's, verified by what a signed index says of it.

An .apk is three gzip members that make one tar archive: a signature, the control member with .PKGINFO, and the data.
The index vouches for the control member as it is, compressed; .PKGINFO in that for the data (`datahash`).
"""

from __future__ import annotations

import hashlib

from rootfs_kit.backends.apk_static.archive import ArchivedFile, Refused, files_in, inflate_member
from rootfs_kit.backends.apk_static.index import MOST_SIGNATURE_BYTES, SIGNATURE, IndexEntry

MOST_PACKAGE_BYTES = 64 << 20  # apk-tools-static has about 2 MiB
MOST_CONTROL_BYTES = 16 << 20
MOST_DATA_BYTES = 256 << 20


def verified_file(raw: bytes, entry: IndexEntry, path: str, what: str) -> bytes:
    """The content of the file `path` of the package, where the package is the one that `entry` tells of.

    Raises Refused.
    """
    control, data = _members(raw, what)
    if hashlib.sha1(control, usedforsecurity=False).digest() != entry.checksum:
        raise Refused(what, "it is not the package of which the index tells: the digest of its control member differs")
    if hashlib.sha256(data).hexdigest() != _datahash(control, what):
        raise Refused(what, "its data was changed: they have not the digest that its control member tells")
    tar, behind = inflate_member(data, MOST_DATA_BYTES, what)
    if behind:
        raise Refused(what, "there is something behind its end")
    return _file(list(files_in(tar, what)), path, what)


def _members(raw: bytes, what: str) -> tuple[bytes, bytes]:
    """The control member and the data, both compressed. Nothing vouches for them yet."""
    first, rest = inflate_member(raw, MOST_SIGNATURE_BYTES, what)
    if not any(SIGNATURE.fullmatch(file.name) for file in files_in(first, what)):
        raise Refused(what, "it does not begin with a signature")
    _, data = inflate_member(rest, MOST_CONTROL_BYTES, what)
    return rest[: len(rest) - len(data)], data


def _datahash(control: bytes, what: str) -> str:
    tar, _ = inflate_member(control, MOST_CONTROL_BYTES, what)
    text = _file(list(files_in(tar, what)), ".PKGINFO", what).decode(errors="surrogateescape")
    fields = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line and not line.startswith("#"))
    return fields.get("datahash", "")


def _file(files: list[ArchivedFile], name: str, what: str) -> bytes:
    for file in files:
        if file.name == name:
            return file.content
    raise Refused(what, f"there is no {name} in it")
