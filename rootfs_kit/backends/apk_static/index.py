"""The index of an Alpine repository: whether its signature is right, and what it says of a package.

APKINDEX.tar.gz is two gzip members that make one tar archive: `.SIGN.<algorithm>.<key>` with the signature, and the
index. What is signed is the second member as it is, compressed (apk-v2(5)).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rootfs_kit.backends.apk_static.archive import ArchivedFile, Refused, files_in, inflate_member
from rootfs_kit.backends.apk_static.rsa import PublicKey, is_signed
from rootfs_kit.tree.packages.version_apk import apk_key

SIGNATURE = re.compile(r"\.SIGN\.([A-Z0-9]+)\.(.+)")
DIGESTS = {"RSA": "sha1", "RSA256": "sha256", "RSA512": "sha512"}
MOST_SIGNATURE_BYTES = 64 << 10
MOST_TEXT_BYTES = 256 << 20
# What may stand in the name of a file that is going to be asked for.
VERSION = re.compile(r"[0-9a-z][0-9a-z._-]*")
SHA1 = "Q1"


@dataclass(frozen=True)
class IndexEntry:
    """What an index says of a package; `checksum` is the SHA-1 digest of its control member."""

    name: str
    version: str
    checksum: bytes


def verified_index(raw: bytes, keys: Mapping[str, PublicKey], what: str) -> str:
    """The text of an index that one of `keys`, by the names of their files, has signed. Raises Refused."""
    what = f"the index of {what}"
    signatures, signed = inflate_member(raw, MOST_SIGNATURE_BYTES, what)
    _require_signature(list(files_in(signatures, what)), signed, keys, what)
    tar, behind = inflate_member(signed, MOST_TEXT_BYTES, what)
    if behind:
        raise Refused(what, "there is something behind its end")
    for file in files_in(tar, what):
        if file.name == "APKINDEX":
            return file.content.decode(errors="surrogateescape")
    raise Refused(what, "there is no APKINDEX in it")


def _require_signature(files: list[ArchivedFile], signed: bytes, keys: Mapping[str, PublicKey], what: str) -> None:
    """There has to be a signature of a known key, and every one of those has to be right."""
    matches = [(file, match) for file in files if (match := SIGNATURE.fullmatch(file.name))]
    if not matches:
        raise Refused(what, "it is not signed")
    known = [(file, match[1], match[2]) for file, match in matches if match[2] in keys and match[1] in DIGESTS]
    if not known:
        signers = ", ".join(f"{match[2]} ({match[1]})" for _, match in matches)
        raise Refused(what, f"it is signed by a key that is not trusted: {signers}")
    for file, algorithm, name in known:
        if not is_signed(signed, file.content, keys[name], DIGESTS[algorithm]):
            raise Refused(what, f"the signature by {name} is wrong")


def newest(text: str, name: str) -> IndexEntry | None:
    """What the index says of the package `name`, of its newest version if there are several; None if there is none.

    Raises Refused for an entry of that name that cannot be understood.
    """
    entries = [_entry(fields) for fields in _stanzas(text) if fields.get("P") == name]
    return max(entries, key=lambda entry: apk_key(entry.version), default=None)


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    """apk-v2(5): a letter, a colon and a value on each line, and an empty line between packages."""
    for stanza in text.split("\n\n"):
        yield {line[0]: line[2:] for line in stanza.splitlines() if line[1:2] == ":"}


def _entry(fields: Mapping[str, str]) -> IndexEntry:
    what = f"what the index says of {fields['P']}"
    version, checksum = fields.get("V", ""), fields.get("C", "")
    if not VERSION.fullmatch(version):
        raise Refused(what, "its version is none")
    try:
        digest = base64.b64decode(checksum.removeprefix(SHA1), validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if not checksum.startswith(SHA1) or len(digest) != 20:
        raise Refused(what, "its checksum is none that is known (Q1 and a SHA-1 digest)")
    return IndexEntry(fields["P"], version, digest)
