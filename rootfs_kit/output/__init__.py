"""Writing a finished tree out: as a directory, or as one normalised stream in a tar or a cpio.

The same tree gives the same bytes, whoever built it and wherever: entries are sorted, owners are numbers, no time is
later than SOURCE_DATE_EPOCH, and device nodes are entries even where this user could not make them on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from rootfs_kit.output.compress import Compression, compressed, compression_of, format_of, is_name_of_archive
from rootfs_kit.request import Format

if TYPE_CHECKING:
    from rootfs_kit.tree import RootfsTree

__all__ = ["Compression", "compression_of", "format_of", "is_name_of_archive", "write_archive"]


def write_archive(
    tree: RootfsTree, form: Format, compression: Compression | None, epoch: int | None, output: BinaryIO
) -> None:
    """Write `tree` to `output`; `epoch` is the latest time in it, in seconds since 1970.

    Raises CouldNotLook, OSError, and BuildFailed for what the format cannot hold.
    """
    from rootfs_kit.output.cpio import write_cpio
    from rootfs_kit.output.stream import members
    from rootfs_kit.output.tar import write_tar

    write = {Format.TAR: write_tar, Format.CPIO: write_cpio}[form]
    with compressed(output, compression) as stream:
        write(members(tree, epoch), tree, stream)
