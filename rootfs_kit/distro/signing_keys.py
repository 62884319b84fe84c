"""Whether the OpenPGP keys that a build trusts are those that its description names, told by their fingerprints.

A fingerprint is a digest of the first packet of a public key (RFC 9580, 5.5.4); no gpg is needed for it. Keys of other
kinds are pinned by the digest of their file (`backends.PinnedFile`).
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterable, Iterator

from rootfs_kit.distro import SigningKey
from rootfs_kit.errors import UsageError

BEGIN, END = b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END"
OPENPGP_DIGITS = 40
PUBLIC_KEY = 6
"""The tag of a primary key's packet; subkeys, names and signatures have others."""


def require_pinned_keys(keys: Iterable[SigningKey]) -> None:
    """Raise UsageError for the first file that is missing, or that is not the one key of the fingerprint."""
    for key in keys:
        if len(key.fingerprint) != OPENPGP_DIGITS:
            continue
        doing = f"looking at the signing key {key.file}"
        try:
            data = key.file.read_bytes()
        except OSError as error:
            hint = "Put the key there, or take its [[key]] out of distro.toml."
            raise UsageError(doing, error.strerror or str(error), hint) from error
        found = openpgp_fingerprints(data)
        if found != [key.fingerprint]:
            holds = f"it holds {' and '.join(found)}" if found else "it is no OpenPGP key"
            hint = "Get the key from the distribution itself, and compare its fingerprint with the published one."
            raise UsageError(doing, f"{holds}; distro.toml names {key.fingerprint}", hint)


def openpgp_fingerprints(data: bytes) -> list[str]:
    """The fingerprints of the primary keys in `data`, armoured or not; none where it is something else."""
    try:
        return [_fingerprint(body) for tag, body in _packets(_binary(data)) if tag == PUBLIC_KEY]
    except (ValueError, IndexError):
        return []


def _fingerprint(body: bytes) -> str:
    """Of a key of version 4, the one that all distributions use."""
    # Not for security: it is what version 4 of the format says.
    return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest()


def _binary(data: bytes) -> bytes:
    """The packets of every armoured block (RFC 9580, 6), or `data` itself."""
    if BEGIN not in data:
        return data
    return b"".join(_unarmoured(block.partition(END)[0]) for block in data.split(BEGIN)[1:])


def _unarmoured(block: bytes) -> bytes:
    """Headers end at an empty line; a line that begins with = is a checksum."""
    lines = [line.strip() for line in block.strip(b"\r\n").splitlines()]
    body = lines[lines.index(b"") + 1 :] if b"" in lines else lines
    return binascii.a2b_base64(b"".join(line for line in body if not line.startswith(b"=")))


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and body of each packet (RFC 9580, 4.2). Raises ValueError, IndexError."""
    position = 0
    while position < len(data):
        first = data[position]
        if not first & 0x80:
            raise ValueError("no packet")
        tag = first & 0x3F if first & 0x40 else first >> 2 & 0x0F
        size, position = _new_length(data, position + 1) if first & 0x40 else _old_length(data, position)
        if position + size > len(data):
            raise ValueError("the packet is cut off")
        yield tag, data[position : position + size]
        position += size


def _new_length(data: bytes, position: int) -> tuple[int, int]:
    first = data[position]
    if first < 192:
        return first, position + 1
    if first < 224:
        return ((first - 192) << 8) + data[position + 1] + 192, position + 2
    if first == 255:
        return int.from_bytes(data[position + 1 : position + 5], "big"), position + 5
    raise ValueError("a key is not in parts")


def _old_length(data: bytes, position: int) -> tuple[int, int]:
    octets = data[position] & 3
    if octets == 3:
        raise ValueError("the length is not told")
    end = position + 1 + (1 << octets)
    return int.from_bytes(data[position + 1 : end], "big"), end
