"""The verifier takes Alpine's real index and package, and refuses whatever is not as it was signed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfs_kit.backends.apk_static import index as indexes
from rootfs_kit.backends.apk_static.archive import ArchivedFile, Refused, files_in, inflate_member
from rootfs_kit.backends.apk_static.index import IndexEntry, newest, verified_index
from rootfs_kit.backends.apk_static.package import verified_file
from rootfs_kit.backends.apk_static.rsa import PublicKey, is_signed, read_public_key
from rootfs_kit.distro.search import find_distro
from tests.support.apk_files import (
    Content,
    Package,
    Signer,
    apk,
    control_member,
    directory_of_root,
    file,
    gzipped,
    make_signer,
    tar,
    with_checksum,
)
from tests.support.requirements import needs_program, third_party_data

INDEX = "alpine/APKINDEX-v3.16-main-x86_64.tar.gz"
PACKAGE = "alpine/alpine-baselayout-3.2.0-r23.apk"
SIGNER_OF_PACKAGE = "alpine-devel@lists.alpinelinux.org-616ae350.rsa.pub"


def data(name: str) -> bytes:
    path = third_party_data() / name
    if not path.is_file():
        pytest.skip(f"needs {name} in the third-party data")
    return path.read_bytes()


@pytest.fixture(scope="module")
def keys() -> dict[str, PublicKey]:
    return {key.file.name: read_public_key(key.file.read_bytes(), key.file.name) for key in find_distro("alpine").keys}


def members(raw: bytes) -> list[bytes]:
    """The raw gzip members of a file."""
    found = []
    while raw:
        inflater = zlib.decompressobj(wbits=31)
        inflater.decompress(raw)
        found.append(raw[: len(raw) - len(inflater.unused_data)])
        raw = inflater.unused_data
    return found


def flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class TestRealIndex:
    def test_alpines_own_index_is_accepted(self, keys: dict[str, PublicKey]) -> None:
        text = verified_index(data(INDEX), keys, "v3.16")
        entry = newest(text, "apk-tools-static")
        assert entry is not None
        assert (entry.name, entry.version, len(entry.checksum)) == ("apk-tools-static", "2.12.9-r3", 20)
        assert newest(text, "alpine-baselayout") is not None
        assert newest(text, "no-such-package") is None

    def test_without_its_key_it_is_refused(self, keys: dict[str, PublicKey]) -> None:
        others = {name: key for name, key in keys.items() if "6165ee59" not in name}
        with pytest.raises(Refused, match=r"not trusted: alpine-devel@.*-6165ee59\.rsa\.pub \(RSA\)"):
            verified_index(data(INDEX), others, "v3.16")

    def test_another_key_by_its_name_is_refused(self, keys: dict[str, PublicKey]) -> None:
        names = list(keys)
        shuffled = dict(zip(names, [*list(keys.values())[1:], keys[names[0]]], strict=True))
        with pytest.raises(Refused, match=r"the signature by .* is wrong"):
            verified_index(data(INDEX), shuffled, "v3.16")

    def test_no_single_bit_of_the_signature_member_makes_another_index(self, keys: dict[str, PublicKey]) -> None:
        """A gzip member has some bits that mean nothing (a time, padding); the others lead to a refusal."""
        raw = data(INDEX)
        first = members(raw)[0]
        good = hashlib.sha256(verified_index(raw, keys, "").encode(errors="surrogateescape")).digest()
        accepted = 0
        for bit in range(0, len(first) * 8, 7):
            try:
                text = verified_index(flipped(raw, bit), keys, "")
            except Refused:
                continue
            accepted += 1
            assert hashlib.sha256(text.encode(errors="surrogateescape")).digest() == good
        assert accepted < 15

    def test_no_single_bit_of_the_signed_member_passes(self, keys: dict[str, PublicKey]) -> None:
        raw = data(INDEX)
        start = len(members(raw)[0]) * 8
        ends = [*range(start, start + 400), *range(len(raw) * 8 - 400, len(raw) * 8)]
        for bit in [*ends, *range(start, len(raw) * 8, 20011)]:
            with pytest.raises(Refused):
                verified_index(flipped(raw, bit), keys, "")

    @pytest.mark.parametrize("length", [0, 1, 10, 600, 667, 668, 1000, -1])
    def test_a_part_of_it_is_refused(self, keys: dict[str, PublicKey], length: int) -> None:
        with pytest.raises(Refused):
            verified_index(data(INDEX)[:length], keys, "")

    def test_anything_behind_it_is_refused(self, keys: dict[str, PublicKey]) -> None:
        for behind in (b"\0", gzipped(b"")):
            with pytest.raises(Refused):
                verified_index(data(INDEX) + behind, keys, "")


class TestRealPackage:
    def entry(self) -> IndexEntry:
        control = members(data(PACKAGE))[1]
        return IndexEntry("alpine-baselayout", "3.2.0-r23", hashlib.sha1(control).digest())

    def test_its_own_signature_is_right(self, keys: dict[str, PublicKey]) -> None:
        signature, control, _ = members(data(PACKAGE))
        (signed,) = files_in(gzip.decompress(signature), "")
        assert signed.name == f".SIGN.RSA.{SIGNER_OF_PACKAGE}"
        assert is_signed(control, signed.content, keys[SIGNER_OF_PACKAGE], "sha1")

    def test_its_files_are_those_that_tar_finds(self) -> None:
        raw = data(PACKAGE)
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(members(raw)[2]))) as opened:
            wanted = {member.name: opened.extractfile(member).read() for member in opened if member.isreg()}  # type: ignore[union-attr]
        assert len(wanted) > 5
        for path, content in wanted.items():
            assert verified_file(raw, self.entry(), path, "") == content

    def test_the_same_package_for_another_machine_is_refused(self, keys: dict[str, PublicKey]) -> None:
        """The package is aarch64's, and the index x86_64's: the same name and version, other content."""
        entry = newest(verified_index(data(INDEX), keys, ""), "alpine-baselayout")
        assert entry is not None
        assert entry.version == "3.2.0-r23"
        with pytest.raises(Refused, match="not the package of which the index tells"):
            verified_file(data(PACKAGE), entry, "etc/hosts", "")

    def test_no_single_bit_of_control_and_data_passes(self) -> None:
        raw, entry = data(PACKAGE), self.entry()
        start = len(members(raw)[0]) * 8
        for bit in range(start, len(raw) * 8, 3):
            with pytest.raises(Refused):
                verified_file(flipped(raw, bit), entry, "etc/hosts", "")

    def test_a_part_of_it_is_refused(self) -> None:
        raw, entry = data(PACKAGE), self.entry()
        for length in range(0, len(raw), 97):
            with pytest.raises(Refused):
                verified_file(raw[:length], entry, "etc/hosts", "")


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return make_signer(tmp_path_factory.mktemp("key"))


def trusted(signer: Signer) -> dict[str, PublicKey]:
    return {signer.public.name: read_public_key(signer.public.read_bytes(), "")}


def made_index(text: str) -> bytes:
    return gzipped(tar([file("DESCRIPTION", b"made"), file("APKINDEX", text.encode())]))


@needs_program("openssl")
class TestMadeIndex:
    TEXT = "C:Q1" + base64.b64encode(bytes(20)).decode() + "\nP:one\nV:1.0-r0\n\n"

    def test_what_was_signed_is_read(self, signer: Signer) -> None:
        for algorithm in ("RSA", "RSA256"):
            raw = signer.signed(made_index(self.TEXT), algorithm)
            assert verified_index(raw, trusted(signer), "") == self.TEXT

    def test_every_bit_of_it_counts(self, signer: Signer) -> None:
        raw = signer.signed(made_index(self.TEXT))
        start = len(members(raw)[0]) * 8
        for bit in range(start, len(raw) * 8):
            with pytest.raises(Refused):
                verified_index(flipped(raw, bit), trusted(signer), "")

    def test_an_algorithm_that_is_not_known_is_not_trusted(self, signer: Signer) -> None:
        signed = made_index(self.TEXT)
        member = tarfile.TarInfo(f".SIGN.DSA.{signer.public.name}")
        raw = gzipped(tar([Content(member, signer.signature(signed))], ends=False)) + signed
        with pytest.raises(Refused, match=r"not trusted: .* \(DSA\)"):
            verified_index(raw, trusted(signer), "")

    def test_of_several_signatures_the_known_ones_count(self, signer: Signer, tmp_path: Path) -> None:
        stranger = make_signer(tmp_path, name="stranger.rsa.pub")
        signed = made_index(self.TEXT)

        def member(by: Signer, content: bytes) -> Content:
            return Content(tarfile.TarInfo(f".SIGN.RSA.{by.public.name}"), content)

        good, other = member(signer, signer.signature(signed)), member(stranger, b"rubbish")
        raw = gzipped(tar([other, good], ends=False)) + signed
        assert verified_index(raw, trusted(signer), "") == self.TEXT
        raw = gzipped(tar([good, member(signer, b"rubbish")], ends=False)) + signed
        with pytest.raises(Refused, match="is wrong"):
            verified_index(raw, trusted(signer), "")

    def test_one_without_a_list_is_refused(self, signer: Signer) -> None:
        raw = signer.signed(gzipped(tar([file("DESCRIPTION", b"made")])))
        with pytest.raises(Refused, match="there is no APKINDEX in it"):
            verified_index(raw, trusted(signer), "")

    def test_a_member_behind_it_is_refused_though_it_was_signed(self, signer: Signer) -> None:
        raw = signer.signed(made_index(self.TEXT) + gzipped(b""))
        with pytest.raises(Refused, match="there is something behind its end"):
            verified_index(raw, trusted(signer), "")

    def test_one_that_would_fill_the_memory_is_refused(self, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(indexes, "MOST_TEXT_BYTES", 1 << 20)
        raw = signer.signed(gzipped(bytes(2 << 20)))
        with pytest.raises(Refused, match="inflates to more than 1048576 bytes"):
            verified_index(raw, trusted(signer), "")

    def test_a_signature_that_would_fill_the_memory_is_refused(self, signer: Signer) -> None:
        raw = gzipped(bytes(100 << 20)) + made_index(self.TEXT)
        with pytest.raises(Refused, match="inflates to more than 65536 bytes"):
            verified_index(raw, trusted(signer), "")


@needs_program("openssl")
def test_a_package_whose_control_member_tells_no_digest_is_refused(signer: Signer) -> None:
    control = gzipped(tar([file(".PKGINFO", b"pkgname = one\n# datahash = 0\n")], ends=False))
    raw = signer.signed(control) + gzipped(tar([file("one", b"")]))
    with pytest.raises(Refused, match="its data was changed"):
        verified_file(raw, IndexEntry("one", "1", hashlib.sha1(control).digest()), "one", "")


@needs_program("openssl")
def test_a_package_with_a_member_too_many_is_refused_though_its_digests_are_right(signer: Signer) -> None:
    data = gzipped(tar([file("one", b"")])) + gzipped(b"")
    control = control_member(Package("one", "1"), hashlib.sha256(data).hexdigest())
    with pytest.raises(Refused, match="there is something behind its end"):
        verified_file(signer.signed(control) + data, IndexEntry("one", "1", hashlib.sha1(control).digest()), "one", "")


@needs_program("openssl")
def test_a_package_without_a_signature_is_refused(signer: Signer) -> None:
    raw = apk(Package("one", "1.0-r0", (file("one", b""),)), signer)
    _, control, rest = members(raw)
    with pytest.raises(Refused, match="it does not begin with a signature"):
        verified_file(control + rest, IndexEntry("one", "1.0-r0", hashlib.sha1(control).digest()), "one", "")


ENTRY = "C:{checksum}\nP:{name}\nV:{version}\n"
Q1 = "Q1" + base64.b64encode(bytes(range(20))).decode()


def test_of_several_versions_the_newest_is_taken() -> None:
    text = "\n".join(ENTRY.format(checksum=Q1, name="apk", version=v) for v in ("2.9.1-r0", "2.14.4-r1", "2.14.4-r0"))
    assert newest(text, "apk") == IndexEntry("apk", "2.14.4-r1", bytes(range(20)))


@pytest.mark.parametrize(
    ("checksum", "version"),
    [
        ("", "1"), ("Q2" + Q1[2:], "1"), ("Q1", "1"), ("Q1AAAA", "1"), (Q1 + "A", "1"), (Q1[2:], "1"), ("Q1****", "1"),
        (Q1, ""), (Q1, "../../1"), (Q1, "1/2"), (Q1, "1?x"), (Q1, "-1"), (Q1, "1 2"),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_understood_is_refused(checksum: str, version: str) -> None:
    with pytest.raises(Refused):
        newest(ENTRY.format(checksum=checksum, name="apk", version=version), "apk")


@given(st.text())
def test_no_text_makes_reading_an_index_fall_over(text: str) -> None:
    for written in (text, f"P:apk\n{text}", ENTRY.format(checksum=text, name="apk", version=text)):
        try:
            newest(written, "apk")
        except Refused:
            continue


NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789._-", min_size=1, max_size=90).filter(
    lambda n: n not in (".", "..")
)


@given(st.lists(st.tuples(NAMES, st.binary(max_size=1500)), max_size=5), st.booleans())
def test_what_tar_writes_is_read(contents: list[tuple[str, bytes]], ends: bool) -> None:
    written = tar([file(name, content) for name, content in contents], ends)
    assert list(files_in(written, "")) == [ArchivedFile(name, content) for name, content in contents]


def test_only_regular_files_are_read_and_their_names_begin_at_the_root() -> None:
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "one"
    written = tar([directory_of_root("dir"), Content(link), with_checksum(file("./one", b"1")), file("dir/two", b"2")])
    assert list(files_in(written, "")) == [ArchivedFile("one", b"1"), ArchivedFile("dir/two", b"2")]


def test_a_long_name_is_put_together() -> None:
    member = file("/".join(["directory"] * 15) + "/name", b"1").member
    header = member.tobuf(tarfile.USTAR_FORMAT)
    assert list(files_in(header, "")) == [ArchivedFile(member.name, b"")]


def test_a_header_whose_checksum_is_wrong_is_refused() -> None:
    written = bytearray(tar([file("one", b"1")]))
    written[0] ^= 1
    with pytest.raises(Refused, match="the checksum of a tar header in it is wrong"):
        list(files_in(bytes(written), ""))


@pytest.mark.parametrize(("length", "words"), [(700, "in the middle of a file"), (100, "in the middle of a header")])
def test_an_archive_that_breaks_off_is_refused(length: int, words: str) -> None:
    written = tar([file("one", bytes(1000))])
    with pytest.raises(Refused, match=words):
        list(files_in(written[:length], ""))


def test_a_size_that_is_no_octal_number_is_refused() -> None:
    """GNU tar writes sizes of 8 GiB and more in binary: nothing that is read here has such a file."""
    member = file("one", b"").member
    member.size = 1 << 40
    with pytest.raises(Refused, match="a number in a tar header is none"):
        list(files_in(member.tobuf(tarfile.GNU_FORMAT), ""))


@given(st.binary(max_size=3000))
def test_no_bytes_make_reading_a_tar_archive_fall_over(content: bytes) -> None:
    try:
        list(files_in(content, ""))
    except Refused:
        return


@given(
    st.binary(max_size=200), st.lists(st.tuples(st.integers(0, 511), st.binary(min_size=1, max_size=12)), max_size=4)
)
def test_no_damaged_header_makes_reading_fall_over(content: bytes, damages: list[tuple[int, bytes]]) -> None:
    written = bytearray(tar([file("one", content)]))
    for at, new in damages:
        written[at : at + len(new)] = new
    # Where the checksum is made right again, what is wrong behind it is looked at.
    head = written[:148] + b" " * 8 + written[156:512]
    for archive in (bytes(written), bytes(written[:148] + b"%06o\0 " % sum(head) + written[156:])):
        try:
            files = list(files_in(archive, ""))
        except Refused:
            continue
        assert sum(len(each.content) for each in files) <= len(archive)


@given(st.binary(max_size=500), st.integers(0, 600))
def test_no_bytes_make_inflating_fall_over(content: bytes, most: int) -> None:
    for raw in (content, gzip.compress(content), b"\x1f\x8b\x08" + content):
        try:
            inflated, _ = inflate_member(raw, most, "")
        except Refused:
            continue
        assert len(inflated) <= most


@given(st.binary(max_size=500), st.binary(max_size=100))
def test_a_member_ends_where_the_next_begins(content: bytes, behind: bytes) -> None:
    assert inflate_member(gzip.compress(content) + behind, 500, "") == (content, behind)


def test_a_member_of_the_very_size_passes_and_one_byte_more_does_not() -> None:
    assert inflate_member(gzip.compress(bytes(1000)), 1000, "")[0] == bytes(1000)
    with pytest.raises(Refused, match="more than 1000 bytes"):
        inflate_member(gzip.compress(bytes(1001)), 1000, "")
