"""The archives that a request names: guest hooks, the pause image, the guest components of confidential containers.

Each is laid over the rootfs by the editor, which keeps links to directories (rootfs.sh's tar replaces /bin by a
directory, and the guest has lost its shell) and refuses members that would land outside.
"""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rootfs_kit.errors import BadArchive
from rootfs_kit.request import BuildRequest
from rootfs_kit.tree import RootfsEditor
from rootfs_kit.tree.unpack import _opened


def unpack_tarballs(editor: RootfsEditor, request: BuildRequest) -> None:
    """Lay the archives over the rootfs, in rootfs.sh's order. Raises BadArchive, UsageError."""
    for archive in (request.guest_hooks_tarball, request.pause_tarball, request.coco_tarball):
        if archive is not None:
            editor.unpack(archive)


@contextmanager
def reading(archive: Path) -> Iterator[tarfile.TarFile]:
    """The archive as a stream of members, whatever it is compressed by. Raises UsageError, BadArchive."""
    try:
        with _opened(archive) as tar:
            yield tar
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise BadArchive(f"reading {archive}", f"it is damaged: {error}", "Fetch or make the archive again.") from error
