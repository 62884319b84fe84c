"""RSA signatures as abuild-sign(1) makes them: PKCS #1 v1.5 (RFC 8017), with the public key in a PEM file.

Written out here since it is short, and since it must work on hosts whose crypto policy forbids SHA-1, with which
Alpine signs to this day: libraries that heed the policy refuse to verify.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from rootfs_kit.errors import UsageError

PEM = re.compile(rb"\s*-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")
INTEGER, BIT_STRING, SEQUENCE = 0x02, 0x03, 0x30
# rsaEncryption with the parameter NULL (RFC 3279, 2.3.1), as the content of an AlgorithmIdentifier.
RSA_ENCRYPTION = bytes.fromhex("06092a864886f70d0101010500")
LEAST_BITS, MOST_BITS = 2048, 16384
MOST_EXPONENT = 1 << 32

# RFC 8017, 9.2, note 1: what stands before the digest itself.
DIGEST_INFO = {
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}


@dataclass(frozen=True)
class PublicKey:
    """An RSA public key."""

    modulus: int
    exponent: int

    @property
    def size(self) -> int:
        """The length of its signatures, in bytes."""
        return (self.modulus.bit_length() + 7) // 8


class _NotDer(Exception):
    """The bytes are not what DER (ITU-T X.690) would have there."""


def is_signed(message: bytes, signature: bytes, key: PublicKey, digest: str) -> bool:
    """Whether `signature` is one of `message` by the owner of `key`, with a digest of DIGEST_INFO.

    The whole encoded message is made anew and compared (RFC 8017, 8.2.2): nothing of the signature is parsed.
    """
    number = int.from_bytes(signature)
    if len(signature) != key.size or number >= key.modulus:
        return False
    hashed = hashlib.new(digest, message, usedforsecurity=False).digest()
    tail = b"\0" + DIGEST_INFO[digest] + hashed
    encoded = b"\0\1" + b"\xff" * (key.size - len(tail) - 2) + tail
    return pow(number, key.exponent, key.modulus).to_bytes(key.size) == encoded


def read_public_key(pem: bytes, what: str) -> PublicKey:
    """The key in a PEM file (RFC 7468, 13). Raises UsageError for anything else, and for one that protects nothing."""
    match = PEM.fullmatch(pem)
    if match is None:
        raise _refuse(what, "it is no public key in PEM form")
    try:
        key = _from_der(base64.b64decode(b"".join(match[1].split()), validate=True))
    except (_NotDer, binascii.Error) as error:
        raise _refuse(what, f"it is no RSA public key ({error})") from error
    if not LEAST_BITS <= key.modulus.bit_length() <= MOST_BITS:
        raise _refuse(what, f"it has {key.modulus.bit_length()} bits, and should have at least {LEAST_BITS}")
    if key.exponent < 3 or key.exponent % 2 == 0 or key.exponent > MOST_EXPONENT or key.modulus % 2 == 0:
        raise _refuse(what, "its numbers are none of an RSA key")
    return key


def _from_der(der: bytes) -> PublicKey:
    """SubjectPublicKeyInfo (RFC 5280, 4.1), with an RSAPublicKey (RFC 8017, A.1.1) in its bit string."""
    algorithm, rest = _read(SEQUENCE, _only(SEQUENCE, der))
    if algorithm != RSA_ENCRYPTION:
        raise _NotDer("another algorithm")
    bits = _only(BIT_STRING, rest)
    if bits[:1] != b"\0":
        raise _NotDer("a bit string with bits left over")
    modulus, rest = _read(INTEGER, _only(SEQUENCE, bits[1:]))
    return PublicKey(_integer(modulus), _integer(_only(INTEGER, rest)))


def _only(tag: int, der: bytes) -> bytes:
    content, rest = _read(tag, der)
    if rest:
        raise _NotDer("something behind its end")
    return content


def _read(tag: int, der: bytes) -> tuple[bytes, bytes]:
    """The content of the value that `der` begins with, and what is behind it."""
    if len(der) < 2 or der[0] != tag:
        raise _NotDer("a value of another kind")
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        written = der[2:start]
        length = int.from_bytes(written)
        if not 1 <= len(written) <= 4 or length < 0x80 or written[0] == 0:
            raise _NotDer("a length that is not written as it should be")
    if len(der) < start + length:
        raise _NotDer("it ends in the middle")
    return der[start : start + length], der[start + length :]


def _integer(content: bytes) -> int:
    if not content or content[0] & 0x80:
        raise _NotDer("a number that is negative, or none")
    return int.from_bytes(content)


def _refuse(what: str, found: str) -> UsageError:
    return UsageError(f"reading the key {what}", found, "Put Alpine's own key there: keys/README says where from.")
