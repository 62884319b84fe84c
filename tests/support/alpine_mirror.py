"""A mirror of Alpine, rebuilt from a minirootfs archive: its installed packages are packed again and signed anew.

What the minirootfs lacks of a guest's packages is made by the tests: bash from Debian's bash-static, the rest as small
static programs. The apk that indexes and installs is the minirootfs's own, started through its own loader.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from tests.support.apk_files import (
    KEY_NAME,
    Content,
    Package,
    Signer,
    apk,
    directory_of_root,
    file,
    make_signer,
    with_parents,
)
from tests.support.carrier import carrier
from tests.support.programs import static_program

# Letters of the installed database and what .PKGINFO calls them: apk-v2(5).
REPEATED = {"D": "depend", "p": "provides", "r": "replaces", "i": "install_if"}
SINGLE = {"T": "pkgdesc", "U": "url", "L": "license", "o": "origin", "m": "maintainer", "t": "builddate",
          "c": "commit", "I": "size", "q": "replaces_priority", "k": "provider_priority"}  # fmt: skip
LIBRARIES_OF_APK = ("libapk.so.*", "libcrypto.so.3", "libssl.so.3", "libz.so.1")
UNOWNED = ("etc/os-release", "etc/alpine-release", "etc/issue")
IPTABLES = tuple(
    f"sbin/{name}" for name in ("iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore")
)
PROGRAMS = {
    "iptables": IPTABLES,
    "e2fsprogs": ("sbin/mkfs.ext4", "sbin/mke2fs"),
    "cryptsetup": ("sbin/cryptsetup",),
    "chrony": ("usr/sbin/chronyd",),
    "kmod": ("bin/kmod",),
}
CHRONY_CONF = "pool pool.ntp.example iburst\ninitstepslew 10 pool.ntp.example\ndriftfile /var/lib/chrony/chrony.drift\n"


@dataclass(frozen=True)
class Minirootfs:
    """A minirootfs archive, and a directory that it is unpacked into."""

    archive: Path
    directory: Path

    @property
    def version(self) -> str:
        """Its number: `3.20.3`."""
        return self.archive.name.split("-")[2]

    @property
    def release(self) -> str:
        """The release that it is one of: `3.20`."""
        return self.version.rpartition(".")[0]

    @property
    def apk(self) -> tuple[str, ...]:
        """The command that starts its apk on this host."""
        libraries = f"{self.directory / 'lib'}:{self.directory / 'usr/lib'}"
        loader = self.directory / "lib/ld-musl-x86_64.so.1"
        return (str(loader), "--library-path", libraries, str(self.directory / "sbin/apk"))

    @cached_property
    def members(self) -> dict[str, Content]:
        with tarfile.open(self.archive) as archive:
            return {
                member.name.removeprefix("./"): Content(member, _read(archive, member))
                for member in archive
                if not (member.isdev() or member.isfifo())
            }

    def text(self, path: str) -> str:
        return self.members[path].data.decode()

    def packages(self) -> Iterator[Package]:
        """The packages that are installed in it, as they were before."""
        scripts, triggers = self._scripts(), self._triggers()
        for stanza in self.text("lib/apk/db/installed").strip().split("\n\n"):
            lines = [(line[0], line[2:]) for line in stanza.splitlines()]
            fields = dict(lines)
            info = [(SINGLE[letter], value) for letter, value in lines if letter in SINGLE]
            info += [
                (REPEATED[letter], word) for letter, value in lines if letter in REPEATED for word in value.split()
            ]
            info += [("triggers", triggers[fields["C"]])] if fields["C"] in triggers else []
            own = {name.rpartition(".")[2]: text for name, text in scripts.items() if f".{fields['C']}." in name}
            yield Package(
                fields["P"],
                fields["V"],
                tuple(self._contents(lines)),
                tuple(info),
                {f".{name}": text for name, text in own.items()},
                fields["A"],
            )

    def _contents(self, lines: list[tuple[str, str]]) -> Iterator[Content]:
        directory = ""
        for letter, value in lines:
            if letter == "F" and value:
                directory = value
                yield self._content(value)
            elif letter == "F":
                directory = ""
            elif letter == "R":
                yield self._content(str(PurePosixPath(directory, value)))

    def _content(self, path: str) -> Content:
        found = self.members.get(path)
        if found is None:
            assert path.startswith("dev/"), f"{path} belongs to a package and is not in {self.archive.name}"
            return directory_of_root(path)
        member = copy(found.member)
        member.name = path
        return Content(member, found.data)

    def _scripts(self) -> dict[str, bytes]:
        with tarfile.open(fileobj=io.BytesIO(self.members["lib/apk/db/scripts.tar"].data)) as archive:
            return {member.name: _read(archive, member) for member in archive}

    def _triggers(self) -> dict[str, str]:
        """The directories that set off a package's trigger, by the checksum of the package."""
        return dict(line.split(" ", 1) for line in self.text("lib/apk/db/triggers").splitlines())


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = archive.extractfile(member) if member.isreg() else None
    return opened.read() if opened else b""


def unpacked(archive: Path, directory: Path) -> Minirootfs:
    """The archive, unpacked into a new directory."""
    with tarfile.open(archive) as opened:
        opened.extractall(directory, filter="tar")
    return Minirootfs(archive, directory)


@dataclass
class AlpineMirror:
    """A mirror on disk, to be served; `directory` is what --mirror names, and `signer` has signed it."""

    directory: Path
    minirootfs: Minirootfs
    signer: Signer

    @property
    def main(self) -> Path:
        return self.directory / f"v{self.minirootfs.release}/main/x86_64"

    @property
    def community(self) -> Path:
        return self.directory / f"v{self.minirootfs.release}/community/x86_64"

    def add(self, package: Package, repository: Path, signer: Signer | None = None) -> Path:
        repository.mkdir(parents=True, exist_ok=True)
        place = repository / package.file_name
        place.write_bytes(apk(package, signer or self.signer))
        return place

    def index(self, repository: Path, signer: Signer | None = None) -> None:
        """Write the index anew, by the real apk, which verifies each package for it; and sign it."""
        index = repository / "APKINDEX.tar.gz"
        index.unlink(missing_ok=True)
        subprocess.run(
            [*self.minirootfs.apk, "index", "--keys-dir", str(self.signer.public.parent), "--no-warnings",
             "--output", str(index), *sorted(map(str, repository.glob("*.apk")))],
            check=True, stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
        index.write_bytes((signer or self.signer).signed(index.read_bytes()))


def make_mirror(minirootfs: Minirootfs, directory: Path) -> AlpineMirror:
    """A mirror with all that a build of a guest installs, and a package `made-extra` in `community`."""
    mirror = AlpineMirror(directory / "alpine", minirootfs, make_signer(directory / "key"))
    (directory / "key/secret.rsa").rename(directory / "secret.rsa")
    mirror.signer = Signer(directory / "secret.rsa", directory / "key" / KEY_NAME)
    for package in (*minirootfs.packages(), *_made_packages(minirootfs)):
        mirror.add(package, mirror.main)
    mirror.add(_package("made-extra", file("usr/bin/made-extra", static_program(), 0o755)), mirror.community)
    for repository in (mirror.main, mirror.community):
        mirror.index(repository)
    return mirror


def _made_packages(minirootfs: Minirootfs) -> Iterator[Package]:
    base = [minirootfs.members[path] for path in UNOWNED if path in minirootfs.members]
    needs = ("alpine-baselayout", "alpine-keys", "apk-tools", "busybox", "libc-utils")
    yield _package(
        "alpine-base", *(_renamed(content) for content in base), version=f"{minirootfs.version}-r0", needs=needs
    )
    yield _package("bash", file("bin/bash", bash_static(), 0o755))
    extra = {
        "e2fsprogs": [file("etc/mke2fs.conf", b"[defaults]\n")],
        "chrony": [file("etc/chrony/chrony.conf", CHRONY_CONF.encode())],
        "kmod": [_link("sbin/modprobe", "../bin/kmod"), _link("sbin/depmod", "../bin/kmod")],
    }
    for name, paths in PROGRAMS.items():
        programs = [file(path, static_program(), 0o755) for path in paths]
        yield _package(name, *programs, *extra.get(name, ()))
    yield _package("libseccomp", file("usr/lib/made-libseccomp", b"stands for the library\n"))
    yield _package("ca-certificates", file("etc/ssl/certs/made-ca.crt", b"stands for a certificate\n"))


def _package(name: str, *contents: Content, version: str = "1.0-r0", needs: tuple[str, ...] = ()) -> Package:
    return Package(name, version, with_parents(contents), tuple(("depend", need) for need in needs))


def _renamed(content: Content) -> Content:
    member = copy(content.member)
    member.name = member.name.removeprefix("./")
    return Content(member, content.data)


def _link(path: str, target: str) -> Content:
    member = tarfile.TarInfo(path)
    member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
    return Content(member)


def bash_static() -> Path:
    """Debian's static bash."""
    found = shutil.which("bash-static") or "/bin/bash-static"
    assert os.access(found, os.X_OK), "bash-static is not on this host"
    return Path(found)


def describe_distro(directory: Path, mirror: AlpineMirror) -> Path:
    """A directory for --distros-dir with an `alpine` that has the minirootfs's release and trusts the mirror's key."""
    import hashlib

    described = directory / "distros/alpine"
    shutil.copytree(Path(__file__).parents[2] / "distros/alpine", described)
    text = (described / "distro.toml").read_text()
    release = mirror.minirootfs.release
    text = text.replace('default-release = "3.24"', f'default-release = "{release}"', 1)
    if f'name = "{release}"' not in text:
        text = text.replace("[[release]]", f'[[release]]\nname = "{release}"\n\n[[release]]', 1)
    head, _, _ = text.partition("[[key]]")
    digest = hashlib.sha256(mirror.signer.public.read_bytes()).hexdigest()
    key = f'[[key]]\nfile = "keys/{KEY_NAME}"\nfingerprint = "{digest}"\n'
    shutil.copy(mirror.signer.public, described / "keys" / KEY_NAME)
    (described / "distro.toml").write_text(head + key)
    return described.parent


def apk_on_path(directory: Path, minirootfs: Minirootfs) -> Path:
    """A directory for PATH, with an `apk` that starts the minirootfs's."""
    directory.mkdir(parents=True, exist_ok=True)
    starter = directory / "apk"
    words = " ".join(f"'{word}'" for word in minirootfs.apk)
    starter.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    starter.chmod(0o755)
    return directory


def apk_tools_static(minirootfs: Minirootfs, directory: Path) -> Package:
    """A package apk-tools-static, whose static program carries the minirootfs's apk."""
    root = minirootfs.directory
    libraries = [path for name in LIBRARIES_OF_APK for path in sorted((root / "lib").glob(name))]
    program = carrier(directory / "apk.static", root / "lib/ld-musl-x86_64.so.1", root / "sbin/apk", libraries)
    version = next(package.version for package in minirootfs.packages() if package.name == "apk-tools")
    contents = with_parents([file("sbin/apk.static", program, 0o755)])
    return Package("apk-tools-static", version, contents)
