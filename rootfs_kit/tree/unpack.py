"""Unpacking a tar archive over a rootfs, as `tar --keep-directory-symlink` would, and never outside of it.

A member `./bin/tool` goes into /usr/bin where /bin is a link to usr/bin: GNU tar without that option replaces the
link by a directory, and the guest has lost /bin/sh.
"""

from __future__ import annotations

import lzma
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from rootfs_kit.errors import BadArchive, UsageError
from rootfs_kit.tree.paths import normalise, shown

if TYPE_CHECKING:
    from rootfs_kit.tree.editor import RootfsEditor

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
SCHILY = "SCHILY.xattr."
HINT = "Make the archive again, with members below ./ only."
NODES = {tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO}


def unpack(editor: RootfsEditor, archive: Path) -> None:
    """Unpack `archive` (tar, also compressed by gzip, xz, bzip2 or zstd) at the root of the tree.

    Modes, owners, times, links, device nodes and extended attributes are restored. Raises UsageError for a file that
    cannot be read, BadArchive for a damaged archive and for a member that has no business in one.
    """
    try:
        with _opened(archive) as tar:
            _unpack_members(editor, archive, tar)
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise BadArchive(
            f"unpacking {archive}", f"it is damaged: {error}", "Fetch or make the archive again."
        ) from error


def _unpack_members(editor: RootfsEditor, archive: Path, tar: tarfile.TarFile) -> None:
    directories: list[tuple[str, tarfile.TarInfo]] = []
    for member in tar:
        path = _checked(archive, member)
        if path == "/":
            continue
        if member.isdir():
            directories += _make_directory(editor, path, member)
        else:
            _make_member(editor, archive, tar, member, path)
    for path, member in reversed(directories):
        editor.set_times(path, member.mtime)


def _checked(archive: Path, member: tarfile.TarInfo) -> str:
    """The guest path of a member. Raises BadArchive for names that climb out of the tree."""
    if ".." in member.name.split("/"):
        raise BadArchive(f"unpacking {archive}", f"the member {shown(member.name)} climbs out of the tree", HINT)
    return normalise(member.name)


def _make_directory(editor: RootfsEditor, path: str, member: tarfile.TarInfo) -> list[tuple[str, tarfile.TarInfo]]:
    if editor.exists(path):
        return []
    editor.make_directory(path, member.mode & 0o7777)
    editor.chown(path, member.uid, member.gid)
    return [(path, member)]


def _make_member(editor: RootfsEditor, archive: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    present = editor.lstat(path)
    if present is not None and present.is_directory:
        raise BadArchive(
            f"unpacking {archive}", f"the member {shown(member.name)} would replace the directory {path}", HINT
        )
    if member.issym():
        editor.symlink(path, member.linkname)
        editor.chown(path, member.uid, member.gid)
    elif member.islnk():
        _make_hardlink(editor, archive, member, path)
        return
    elif member.type in NODES:
        editor.make_node(path, NODES[member.type] | member.mode & 0o7777, (member.devmajor, member.devminor))
        editor.chown(path, member.uid, member.gid)
    else:
        _make_file(editor, archive, tar, member, path)
    editor.set_times(path, member.mtime)


def _make_file(editor: RootfsEditor, archive: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    content = tar.extractfile(member)
    if content is None:
        raise BadArchive(f"unpacking {archive}", f"the member {shown(member.name)} is of no known kind", HINT)
    editor.copy_in(content, path, member.mode & 0o7777, member.uid, member.gid)  # type: ignore[arg-type]
    for name, value in member.pax_headers.items():
        if name.startswith(SCHILY):
            editor.set_xattr(path, name.removeprefix(SCHILY), value.encode("utf-8", "surrogateescape"))


def _make_hardlink(editor: RootfsEditor, archive: Path, member: tarfile.TarInfo, path: str) -> None:
    existing = editor.lstat(normalise(member.linkname))
    if ".." in member.linkname.split("/") or existing is None or existing.is_directory:
        raise BadArchive(
            f"unpacking {archive}",
            f"the member {shown(member.name)} is a hard link to {shown(member.linkname)}, no file of the tree",
            HINT,
        )
    if existing.path != path:
        editor.hardlink(existing.path, path)


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        file = archive.open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"reading {archive}", reason, "Name a tar archive that can be read.") from error
    with file, _decompressed(file) as stream, tarfile.open(fileobj=stream, mode="r|*") as tar:
        yield tar


@contextmanager
def _decompressed(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """The stream itself, or what zstd makes of it; tarfile knows the other compressions."""
    magic = file.read(len(ZSTD_MAGIC))
    file.seek(0)
    if magic != ZSTD_MAGIC:
        yield file
        return
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream:
            yield stream
    except zstandard.ZstdError as error:
        raise tarfile.ReadError(str(error)) from error
