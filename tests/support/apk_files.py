"""Makes Alpine packages and signs them, as abuild(1) does: three gzip members that are one tar archive."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path

KEY_NAME = "tests@example.org-4d3c2b1a.rsa.pub"
CHECKSUM = "APK-TOOLS.checksum.SHA1"
DIGESTS = {"RSA": "sha1", "RSA256": "sha256"}


@dataclass(frozen=True)
class Signer:
    """An RSA key, made by openssl(1): the secret in `secret`, and `public` in the file that apk knows it by."""

    secret: Path
    public: Path

    def signature(self, message: bytes, algorithm: str = "RSA") -> bytes:
        return subprocess.run(
            ["openssl", "dgst", f"-{DIGESTS[algorithm]}", "-sign", str(self.secret)],
            input=message, check=True, capture_output=True,
        ).stdout  # fmt: skip

    def signed(self, message: bytes, algorithm: str = "RSA") -> bytes:
        """`message` behind a member with its signature."""
        member = tarfile.TarInfo(f".SIGN.{algorithm}.{self.public.name}")
        return gzipped(tar([Content(member, self.signature(message, algorithm))], ends=False)) + message


def make_signer(directory: Path, bits: int = 2048, name: str = KEY_NAME) -> Signer:
    directory.mkdir(parents=True, exist_ok=True)
    secret, public = directory / "secret.rsa", directory / name
    quiet = {"check": True, "stdin": subprocess.DEVNULL, "capture_output": True}
    subprocess.run(["openssl", "genrsa", "-out", str(secret), str(bits)], **quiet)
    subprocess.run(["openssl", "rsa", "-in", str(secret), "-pubout", "-out", str(public)], **quiet)
    return Signer(secret, public)


@dataclass(frozen=True)
class Content:
    """One member of an archive, and what is in it."""

    member: tarfile.TarInfo
    data: bytes = b""


@dataclass(frozen=True)
class Package:
    """What an .apk is made from. `info` are lines of .PKGINFO besides what can be worked out; `scripts` by name."""

    name: str
    version: str
    contents: tuple[Content, ...] = ()
    info: tuple[tuple[str, str], ...] = ()
    scripts: Mapping[str, bytes] = field(default_factory=dict)
    arch: str = "x86_64"

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}.apk"


def data_member(package: Package) -> bytes:
    return gzipped(tar([with_checksum(content) for content in package.contents]))


def control_member(package: Package, datahash: str) -> bytes:
    size = sum(len(content.data) for content in package.contents)
    lines = [("pkgname", package.name), ("pkgver", package.version), ("pkgdesc", "made by the tests"),
             ("arch", package.arch), ("size", str(size)), ("license", "Apache-2.0"), ("builddate", "1700000000"),
             *package.info, ("datahash", datahash)]  # fmt: skip
    text = "".join(f"{key} = {value}\n" for key, value in dict.fromkeys(lines))
    files = [Content(tarfile.TarInfo(".PKGINFO"), text.encode())]
    for name, script in package.scripts.items():
        member = tarfile.TarInfo(name)
        member.mode = 0o755
        files.append(Content(member, script))
    return gzipped(tar(files, ends=False))


def apk(package: Package, signer: Signer) -> bytes:
    """The package as a file."""
    data = data_member(package)
    return signer.signed(control_member(package, hashlib.sha256(data).hexdigest())) + data


def file(path: str, data: bytes | Path, mode: int = 0o644) -> Content:
    """A regular file of root's."""
    member = tarfile.TarInfo(path)
    member.mode = mode
    return Content(member, data.read_bytes() if isinstance(data, Path) else data)


def directory_of_root(path: str) -> Content:
    member = tarfile.TarInfo(path)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    return Content(member)


def with_parents(contents: Iterable[Content]) -> tuple[Content, ...]:
    """The contents, behind the directories that they are in; apk wants each before what is in it."""
    contents = list(contents)
    present = {content.member.name for content in contents}
    made: dict[str, Content] = {}
    for content in contents:
        for parent in [*Path(content.member.name).parents][-2::-1]:
            if str(parent) not in present:
                made.setdefault(str(parent), directory_of_root(str(parent)))
    return (*made.values(), *contents)


def with_checksum(content: Content) -> Content:
    """apk records the SHA-1 digest of each file, or of where a link leads, from a pax header."""
    member = copy(content.member)
    digested = member.linkname.encode() if member.issym() else content.data
    if member.isreg() or member.issym():
        member.pax_headers = {CHECKSUM: hashlib.sha1(digested).hexdigest()}
    return Content(member, content.data)


def tar(contents: Iterable[Content], ends: bool = True) -> bytes:
    """A tar archive; without the zeros at its end where another is to follow."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for content in contents:
            content.member.size = len(content.data)
            archive.addfile(content.member, io.BytesIO(content.data))
        length = archive.offset
    return output.getvalue() if ends else output.getvalue()[:length]


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, 6, mtime=0)
