"""apk.static for hosts without apk: found through the signed index of a mirror, and verified before it runs.

A verifier, no installer: from Alpine's pinned keys to the program there is one chain, and each link is checked over
raw bytes before what it vouches for is read. The index is signed (index.py, rsa.py); it names the digest of the
package's control member, and that the digest of its data member (package.py). The formats are described in apk-v2(5)
and abuild-sign(1).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from rootfs_kit.backends import PinnedFile
from rootfs_kit.backends.apk_static.archive import Refused
from rootfs_kit.backends.apk_static.index import IndexEntry, newest, verified_index
from rootfs_kit.backends.apk_static.package import MOST_PACKAGE_BYTES, verified_file
from rootfs_kit.backends.apk_static.rsa import PublicKey, read_public_key
from rootfs_kit.download import PATIENT, NotThere, Patience, download, exists
from rootfs_kit.errors import BuildFailed, WouldFailAnywhere

PACKAGE = "apk-tools-static"
PROGRAM = "sbin/apk.static"
INDEX, INDEX_OF_APK_3 = "APKINDEX.tar.gz", "Packages.adb"
MOST_INDEX_BYTES = 32 << 20  # Alpine's largest, of `community`, has some 2 MiB
MACHINES_WITH_PROGRAMS_OF = {"armv8l": "armv7l"}  # a 64-bit kernel's name for itself, to 32-bit programs
INSTALL_IT = "Install apk on this host, or name another mirror: --mirror URL (REPO_URL)."


@dataclass(frozen=True)
class ApkStatic:
    """Brings apk.static from one of `repositories` (addresses), whose index has to be signed by one of `keys`.

    `architectures` maps what the kernel calls a machine to what Alpine does.
    """

    repositories: tuple[str, ...]
    keys: tuple[PinnedFile, ...]
    architectures: Mapping[str, str]
    patience: Patience = PATIENT

    def __call__(self, cache: Path, into: Path) -> Path:
        """An executable for this host's machine, in the directory `into`; its package is kept in `cache`.

        Raises BuildFailed: Refused for what does not stand up to verification, NotThere, and WouldFailAnywhere.
        """
        architecture = self._architecture()
        keys = {pinned.file.name: read_public_key(pinned.read(), str(pinned.file)) for pinned in self.keys}
        address, entry = self._find(architecture, keys)
        program = self._program(address, entry, cache / "apk-static")
        place = into / "apk.static"
        place.write_bytes(program)
        place.chmod(0o755)
        return place

    def _architecture(self) -> str:
        machine = os.uname().machine
        machine = MACHINES_WITH_PROGRAMS_OF.get(machine, machine)
        if machine not in self.architectures:
            found = f"there is none for this host's machine, {machine}"
            raise WouldFailAnywhere("looking for apk.static", found, INSTALL_IT)
        return self.architectures[machine]

    def _find(self, architecture: str, keys: Mapping[str, PublicKey]) -> tuple[str, IndexEntry]:
        """Where the newest package is, and what the index of the first repository that has it says of it."""
        for repository in self.repositories:
            directory = f"{repository}/{architecture}"
            entry = newest(verified_index(self._index(directory), keys, directory), PACKAGE)
            if entry is not None:
                return f"{directory}/{PACKAGE}-{entry.version}.apk", entry
        raise BuildFailed(
            f"looking for {PACKAGE}", f"it is in none of the indexes of {' and '.join(self.repositories)}", INSTALL_IT
        )

    def _index(self, directory: str) -> bytes:
        try:
            return download(f"{directory}/{INDEX}", MOST_INDEX_BYTES, self.patience)
        except NotThere:
            if exists(f"{directory}/{INDEX_OF_APK_3}", self.patience):
                raise BuildFailed(
                    f"looking for {PACKAGE} in {directory}",
                    f"there is only {INDEX_OF_APK_3}, the index of apk 3, which apk itself can read and this cannot",
                    INSTALL_IT,
                ) from None
            raise

    def _program(self, address: str, entry: IndexEntry, cache: Path) -> bytes:
        """The program, from the package in the cache if that stands up to verification, else from the mirror."""
        try:
            cache.mkdir(parents=True, exist_ok=True)
            kept = cache / f"{entry.checksum.hex()}.apk"
            with FileLock(kept.with_suffix(".lock")):
                return _from_cache(kept, entry) or self._from_mirror(address, entry, kept)
        except OSError as error:
            reason = error.strerror or str(error)
            hint = "Let XDG_CACHE_HOME name a directory that you may write."
            raise WouldFailAnywhere(f"keeping {PACKAGE} in {cache}", reason, hint) from error

    def _from_mirror(self, address: str, entry: IndexEntry, kept: Path) -> bytes:
        package = download(address, MOST_PACKAGE_BYTES, self.patience)
        program = verified_file(package, entry, PROGRAM, address)
        unfinished = kept.with_suffix(".new")
        unfinished.write_bytes(package)
        unfinished.replace(kept)
        return program


def _from_cache(kept: Path, entry: IndexEntry) -> bytes | None:
    if not kept.is_file() or kept.stat().st_size > MOST_PACKAGE_BYTES:
        return None
    try:
        return verified_file(kept.read_bytes(), entry, PROGRAM, str(kept))
    except Refused:
        return None
