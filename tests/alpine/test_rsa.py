"""Signatures are right when openssl(1) made them, and wrong in every other case."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfs_kit.backends.apk_static.rsa import DIGEST_INFO, PublicKey, is_signed, read_public_key
from rootfs_kit.errors import UsageError
from tests.support.apk_files import Signer, make_signer
from tests.support.requirements import needs_program

pytestmark = needs_program("openssl")
MESSAGE = b"what was signed"


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return make_signer(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def key(signer: Signer) -> PublicKey:
    return read_public_key(signer.public.read_bytes(), "the test's key")


def openssl(*arguments: str, message: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=message, check=True, capture_output=True).stdout


def sign(signer: Signer, digest: str, message: bytes = MESSAGE) -> bytes:
    return openssl("dgst", f"-{digest}", "-sign", str(signer.secret), message=message)


@pytest.mark.parametrize("digest", DIGEST_INFO)
def test_a_signature_of_openssls_is_right(signer: Signer, key: PublicKey, digest: str) -> None:
    signature = sign(signer, digest)
    assert is_signed(MESSAGE, signature, key, digest)
    assert not is_signed(MESSAGE + b"!", signature, key, digest)
    for other in set(DIGEST_INFO) - {digest}:
        assert not is_signed(MESSAGE, signature, key, other)


def test_a_key_of_an_odd_size_works(tmp_path: Path) -> None:
    signer = make_signer(tmp_path, bits=2051)
    key = read_public_key(signer.public.read_bytes(), "")
    assert key.size == 257
    signature = sign(signer, "sha1")
    assert is_signed(MESSAGE, signature, key, "sha1")
    # The same number as far as the key goes, and written in as many bytes: RFC 8017, 5.2.2, has it refused.
    twin = (int.from_bytes(signature) + key.modulus).to_bytes(key.size)
    assert not is_signed(MESSAGE, twin, key, "sha1")


def test_every_bit_of_a_signature_counts(signer: Signer, key: PublicKey) -> None:
    signature = bytearray(sign(signer, "sha1"))
    for bit in range(len(signature) * 8):
        signature[bit // 8] ^= 1 << bit % 8
        assert not is_signed(MESSAGE, bytes(signature), key, "sha1"), bit
        signature[bit // 8] ^= 1 << bit % 8
    assert is_signed(MESSAGE, bytes(signature), key, "sha1")


def test_a_signature_has_one_length_and_one_number(signer: Signer, key: PublicKey) -> None:
    signature = sign(signer, "sha1")
    assert not is_signed(MESSAGE, b"\0" + signature, key, "sha1")
    assert not is_signed(MESSAGE, signature + b"\0", key, "sha1")
    assert not is_signed(MESSAGE, signature[:-1], key, "sha1")
    assert not is_signed(MESSAGE, b"", key, "sha1")
    for special in (0, 1, key.modulus - 1):
        assert not is_signed(MESSAGE, special.to_bytes(key.size), key, "sha1")


def test_a_forged_signature_with_rubbish_at_its_end_is_wrong() -> None:
    """With a small exponent a cube root gives right-looking bytes at the front (Bleichenbacher, 2006)."""
    import hashlib

    key = PublicKey((1 << 2047) + 1, 3)
    front = b"\0\1" + b"\xff" * 8 + b"\0" + DIGEST_INFO["sha1"] + hashlib.sha1(MESSAGE).digest()
    wanted = int.from_bytes(front.ljust(256, b"\0"))
    root = _cube_root(wanted + (1 << (256 - len(front)) * 8) - 1)
    assert pow(root, 3, key.modulus).to_bytes(256).startswith(front)
    assert not is_signed(MESSAGE, root.to_bytes(256), key, "sha1")


def _cube_root(number: int) -> int:
    low, high = 0, 1 << number.bit_length() // 3 + 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle - 1)
    return low


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it has 1024 bits, and should have at least 2048"):
        read_public_key(make_signer(tmp_path, bits=1024).public.read_bytes(), "short")


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    curve = openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")
    public = openssl("ec", "-pubout", message=curve)
    with pytest.raises(UsageError, match="it is no RSA public key"):
        read_public_key(public, "curve")


def test_a_secret_key_is_no_public_one(signer: Signer) -> None:
    with pytest.raises(UsageError, match="it is no public key in PEM form"):
        read_public_key(signer.secret.read_bytes(), "secret")


@pytest.mark.parametrize("change", [lambda pem: pem + b"x", lambda pem: pem * 2, lambda pem: pem[40:], lambda pem: b""])
def test_what_is_around_a_key_is_refused(signer: Signer, change) -> None:
    with pytest.raises(UsageError):
        read_public_key(change(signer.public.read_bytes()), "changed")


def _der(tag: int, content: bytes) -> bytes:
    length = bytes([len(content)]) if len(content) < 128 else b"\x82" + len(content).to_bytes(2)
    return bytes([tag]) + length + content


def _integer(number: int) -> bytes:
    return _der(2, number.to_bytes(number.bit_length() // 8 + 1))


RSA_ENCRYPTION = bytes.fromhex("06092a864886f70d0101010500")
RSASSA_PSS = bytes.fromhex("06092a864886f70d01010a0500")


def _pem(key: bytes, algorithm: bytes = RSA_ENCRYPTION, unused_bits: int = 0) -> bytes:
    der = _der(0x30, _der(0x30, algorithm) + _der(3, bytes([unused_bits]) + key))
    return b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der) + b"-----END PUBLIC KEY-----\n"


def test_the_made_keys_of_these_tests_are_read() -> None:
    modulus = (1 << 2047) + 1
    assert read_public_key(_pem(_der(0x30, _integer(modulus) + _integer(3))), "") == PublicKey(modulus, 3)


@pytest.mark.parametrize(
    "key",
    [
        _der(0x30, _integer((1 << 2047) + 1) + _integer(1)),
        _der(0x30, _integer((1 << 2047) + 1) + _integer(4)),
        _der(0x30, _integer((1 << 2047) + 1) + _integer((1 << 40) + 1)),
        _der(0x30, _integer(1 << 2047) + _integer(3)),
        _der(0x30, _integer((1 << 2047) + 1) + _integer(3) + b"\5\0"),
        _der(0x30, _integer((1 << 2047) + 1)),
        _der(0x30, _der(2, b"") + _integer(3)),
        _der(0x30, _der(2, b"\x80" + bytes(255)) + _integer(3)),
        _der(0x31, _integer((1 << 2047) + 1) + _integer(3)),
        b"\x30\x80" + _integer((1 << 2047) + 1) + _integer(3),
        b"\x30\x83\x00\x01\x08" + _integer((1 << 2047) + 1) + _integer(3),
    ],
)
def test_a_key_that_is_none_is_refused(key: bytes) -> None:
    with pytest.raises(UsageError):
        read_public_key(_pem(key), "made")


def test_a_key_for_signatures_of_another_kind_is_refused() -> None:
    key = _der(0x30, _integer((1 << 2047) + 1) + _integer(3))
    with pytest.raises(UsageError, match="another algorithm"):
        read_public_key(_pem(key, RSASSA_PSS), "made")
    with pytest.raises(UsageError, match="a bit string with bits left over"):
        read_public_key(_pem(key, unused_bits=1), "made")


@given(st.binary(max_size=400))
def test_no_bytes_make_reading_a_key_fall_over(data: bytes) -> None:
    for pem in (data, _pem(data)):
        with pytest.raises(UsageError):
            read_public_key(pem, "random")
