"""A Debian archive in miniature: a few real packages, really signed, for the real mmdebstrap to bootstrap from.

One essential package carries this host's own dpkg, shell and tar with their libraries, so that dpkg runs in the new
tree as it does in Debian's; the others bring what a guest needs as the small programs of `tests.support.trees`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.support import trees
from tests.support.agents import stand_in_agent

SUITE = "trixie"
PROGRAMS = (
    "dpkg", "dpkg-deb", "dpkg-split", "dpkg-query", "tar", "sh", "rm", "cat", "chmod", "mkdir", "mv", "ln", "cp", "ls",
    "true", "env", "touch", "diff", "test", "ldconfig", "start-stop-daemon", "sort", "find", "xargs",
)  # fmt: skip
EMPTY_PACKAGES = ("cryptsetup-bin", "dbus", "e2fsprogs", "init", "kmod", "libseccomp2", "systemd", "strace")
IPTABLES_PROGRAMS = tuple(f"usr/sbin/{name}" for name in trees.IPTABLES)
CHRONY_FILES = ("usr/sbin/chronyd", "etc/chrony", "usr/lib/systemd/system/chrony.service", "etc/systemd")
NOT_OF_DEBIAN = (
    "usr/bin/kata-agent", "usr/lib/systemd/system/kata-agent.service", "var/lib/osbuilder", "var/lib/dpkg",
    "usr/lib/systemd/system/kata-containers.target", f"usr/lib/modules/{trees.KERNEL}", "etc/resolv.conf",
)  # fmt: skip
NEEDED_TOOLS = ("mmdebstrap", "dpkg-deb", "dpkg-scanpackages", "gpg", "cc", "depmod")


@dataclass
class Archive:
    """An archive on disk: `keyring` is the public key that its Release file is signed with."""

    directory: Path
    keyring: Path
    secret: Path
    packages: list[Path] = field(default_factory=list)
    suite: str = SUITE

    @property
    def binary(self) -> Path:
        return self.directory / f"dists/{self.suite}/main/binary-{debian_machine()}"

    def sign(self) -> None:
        """Sign the Release file as it now is."""
        release = self.binary.parents[1] / "Release"
        _gpg(self.secret, "--clearsign", "--output", str(release.with_name("InRelease")), str(release))

    def index(self) -> None:
        """Write Packages and Release anew from the packages that are there, and sign them."""
        self.binary.mkdir(parents=True, exist_ok=True)
        listed = subprocess.run(
            ["dpkg-scanpackages", "--multiversion", "pool"], cwd=self.directory, check=True, capture_output=True
        ).stdout
        (self.binary / "Packages").write_bytes(listed)
        (self.binary.parents[1] / "Release").write_text(_release(listed, self.suite))
        self.sign()


def debian_machine() -> str:
    return subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()


def make_archive(directory: Path, suite: str = SUITE, os_release: str | None = None) -> Archive:
    """An archive with all that a build of a guest installs; its trees call themselves what `os_release` says."""
    secret, keyring = _make_key(directory / "gpg")
    archive = Archive(directory / "debian", keyring, secret, suite=suite)
    pool = archive.directory / "pool"
    pool.mkdir(parents=True)
    workshop = directory / "packages"
    guest = trees.systemd_guest(workshop / "made-base")
    for path in NOT_OF_DEBIAN:
        _remove(guest / path)
    _take_out(guest, workshop / "iptables", IPTABLES_PROGRAMS)
    _take_out(guest, workshop / "chrony", CHRONY_FILES)
    _bring_programs(guest)
    if os_release is not None:
        (guest / "usr/lib/os-release").write_text(os_release)
    for name in (*EMPTY_PACKAGES, "iptables", "chrony", "made-base"):
        archive.packages.append(make_package(workshop / name, pool))
    archive.index()
    return archive


def make_package(tree: Path, pool: Path, version: str = "1.0-1") -> Path:
    """The .deb of a tree, named as its directory; `made-base` is essential."""
    control = tree / "DEBIAN/control"
    control.parent.mkdir(parents=True)
    essential = "Essential: yes\nPriority: required\n" if tree.name == "made-base" else "Priority: optional\n"
    control.write_text(
        f"Package: {tree.name}\nVersion: {version}\nArchitecture: {debian_machine()}\n{essential}"
        "Maintainer: tests <tests@example.org>\nDescription: made by the tests\n"
    )
    tree.chmod(0o755)
    built = pool / f"{tree.name}_{version}_{debian_machine()}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(tree), str(built)], check=True, stdout=-3)
    return built


def describe_distro(directory: Path, archive: Archive) -> Path:
    """A directory for --distros-dir that holds a `debian` whose archive is signed with the test's key."""
    described = directory / "distros/debian"
    shutil.copytree(Path(__file__).parents[2] / "distros/debian", described)
    text = (described / "distro.toml").read_text()
    assert "keyrings = []" in text
    shutil.copy(archive.keyring, described / "keys.gpg")
    (described / "distro.toml").write_text(text.replace("keyrings = []", 'keyrings = ["keys.gpg"]', 1))
    return described.parent


@contextmanager
def served(directory: Path, handler: type[SimpleHTTPRequestHandler] = SimpleHTTPRequestHandler) -> Iterator[str]:
    """The address at which `directory` is served for the time being."""

    class Quiet(handler):  # type: ignore[valid-type,misc]
        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def agent() -> Path:
    """An agent for builds from this archive."""
    return stand_in_agent()


def _make_key(home: Path) -> tuple[Path, Path]:
    home.mkdir(parents=True, mode=0o700)
    _gpg(home, "--passphrase", "", "--quick-gen-key", "rootfs-kit tests", "ed25519", "sign", "never")
    keyring = home / "public.gpg"
    _gpg(home, "--output", str(keyring), "--export")
    return home, keyring


def _gpg(home: Path, *arguments: str) -> None:
    command = ["gpg", "--homedir", str(home), "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def _release(packages: bytes, suite: str) -> str:
    path = f"main/binary-{debian_machine()}/Packages"
    return textwrap.dedent(f"""\
        Origin: tests
        Suite: stable
        Codename: {suite}
        Date: Thu, 01 Jan 2026 00:00:00 UTC
        Architectures: {debian_machine()}
        Components: main
        SHA256:
         {hashlib.sha256(packages).hexdigest()} {len(packages)} {path}
        """)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()


def _take_out(guest: Path, package: Path, paths: tuple[str, ...]) -> None:
    """Move `paths` of the guest into a package of their own."""
    for path in paths:
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(guest / path, package / path)


def _bring_programs(guest: Path) -> None:
    """This host's own tools, with the libraries that they load."""
    for name in PROGRAMS:
        found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        assert found, f"{name} is not on this host"
        _bring(guest, Path("/usr") / Path(found).resolve().relative_to("/usr"), name)
    for directory in ("var/lib/dpkg", "etc/apt", "root", "usr/share"):
        (guest / directory).mkdir(parents=True, exist_ok=True)


def _bring(guest: Path, program: Path, name: str) -> None:
    directory = "usr/sbin" if "sbin" in program.parts else "usr/bin"
    place = guest / directory / name
    place.unlink(missing_ok=True)
    shutil.copy(program, place)
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    for word in (word for word in listed.split() if word.startswith("/")):
        library = Path(word).resolve()
        kept = guest / "usr" / Path(word).relative_to("/usr" if word.startswith("/usr") else "/")
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, kept)
