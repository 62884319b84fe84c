"""RootfsEditor: the one door through which a rootfs is changed.

Every path is resolved inside the root, and every change is made relative to a descriptor of the directory that was
found there: a link in the tree, however it points, cannot make the editor write outside. A change is whole or not
made: files are written under another name and renamed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from rootfs_kit.errors import BuildFailed, CouldNotLook, NotARegularFile, UsageError
from rootfs_kit.tree.directory import OPEN_FLAGS
from rootfs_kit.tree.entry import Entry
from rootfs_kit.tree.index import entry_of
from rootfs_kit.tree.openat import DIRECTORY, open_in_root
from rootfs_kit.tree.paths import Resolution, basename, join, normalise, parent, resolve, shown
from rootfs_kit.tree.scan import row_of

PARENT_MODE = 0o755
EDIT_HINT = "Check the rights and the free space of the directory that the rootfs is built in."


class RootfsEditor:
    """Holds the root directory of a tree that is being made. Use it as a context manager.

    `root` is the directory itself, never a link to one: what is made in its place may lead anywhere. Its methods raise
    BuildFailed for what the host refuses (rights, space, a directory in the way); making one, UsageError.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            self._root = os.open(root, DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise UsageError(f"opening {root}", error.strerror or str(error), "Name an existing directory.") from error

    def __enter__(self) -> RootfsEditor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._root)

    def lstat(self, path: str) -> Entry | None:
        """What is at `path`; a link at its end is not followed."""
        path = normalise(path)
        if path == "/":
            return self._root_entry()
        directory = self.resolve(parent(path)).final
        return self._look(directory, basename(path)) if directory is not None else None

    def resolve(self, path: str) -> Resolution:
        """Where `path` leads when every link in it is followed."""
        return resolve(path, self._look, self._root_entry())

    def exists(self, path: str) -> bool:
        return self.resolve(path).entry is not None

    def is_executable(self, path: str) -> bool:
        """Whether `path` leads to a regular file that somebody may execute."""
        entry = self.resolve(path).entry
        return entry is not None and entry.is_file and bool(entry.mode & 0o111)

    def listdir(self, path: str) -> list[str]:
        """The sorted names in a directory; none where it does not exist."""
        entry = self.resolve(path).entry
        if entry is None or not entry.is_directory:
            return []
        with self._open(entry.path, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            return sorted(os.listdir(descriptor))

    def walk(self, path: str = "/") -> Iterator[Entry]:
        """What is at `path`, and all below it, sorted by name; links inside are not followed."""
        start = self.resolve(path).entry
        waiting = [start] if start is not None else []
        while waiting:
            entry = waiting.pop()
            yield entry
            if entry.is_directory:
                found = (self._look(entry.path, name) for name in reversed(self.listdir(entry.path)))
                waiting.extend(below for below in found if below is not None)

    def read_bytes(self, path: str) -> bytes:
        """The content of the regular file that `path` leads to. Raises CouldNotLook, NotARegularFile."""
        entry = self.resolve(path).entry
        if entry is None or not entry.is_file:
            what = f"it is a {entry.kind}" if entry else "there is no such file"
            raise NotARegularFile(f"reading {shown(path)}", what, "Only regular files are ever opened.")
        try:
            descriptor = open_in_root(self._root, entry.path, OPEN_FLAGS)
        except OSError as error:
            raise CouldNotLook(f"reading {shown(path)}", error.strerror or str(error), EDIT_HINT) from error
        with os.fdopen(descriptor, "rb") as file:
            return file.read()

    def read_text(self, path: str) -> str:
        """UTF-8 with undecodable bytes kept as surrogates. Raises CouldNotLook, NotARegularFile."""
        return self.read_bytes(path).decode("utf-8", "surrogateescape")

    def make_directory(self, path: str, mode: int = 0o755) -> None:
        """Make `path` and what is missing above it; an existing directory, or a link to one, stays as it is.

        `mode` is for `path` alone: what is made above it everybody may enter.
        """
        if self._is_directory(path):
            return
        resolution = self.resolve(path)
        while resolution.problem == "missing" and resolution.missing_at is not None:
            self._make_one_directory(resolution.missing_at, PARENT_MODE)
            resolution = self.resolve(path)
        if resolution.entry is None or not resolution.entry.is_directory:
            self._refuse(f"making the directory {shown(path)}", "something else is in the way there")
        if mode != PARENT_MODE:
            self.chmod(path, mode)

    def _is_directory(self, path: str) -> bool:
        """One question to the kernel, where `resolve` asks one for every component."""
        try:
            with self._open(path, DIRECTORY):
                return True
        except OSError:
            return False

    def _make_one_directory(self, path: str, mode: int) -> None:
        with self._at(path, "making the directory") as (directory, name):
            with suppress(FileExistsError):
                os.mkdir(name, mode, dir_fd=directory)
            os.chmod(name, mode, dir_fd=directory)

    def write(self, path: str, data: bytes | str, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Make `path` a regular file with this content; a link at its end is replaced, not followed."""
        content = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        with self._new_file(path, mode, uid, gid) as file:
            file.write(content)

    def copy_in(self, source: Path | BinaryIO, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Make `path` a regular file with the content of the host's file `source`. Raises UsageError as well."""
        with self._new_file(path, mode, uid, gid) as file:
            if not isinstance(source, Path):
                shutil.copyfileobj(source, file, 1 << 20)
                return
            try:
                opened = source.open("rb")
            except OSError as error:
                reason = error.strerror or str(error)
                raise UsageError(f"reading {source}", reason, "Name a file that can be read.") from error
            with opened:
                shutil.copyfileobj(opened, file, 1 << 20)

    @contextmanager
    def _new_file(self, path: str, mode: int, uid: int, gid: int) -> Iterator[BinaryIO]:
        self.make_directory(parent(normalise(path)))
        with self._at(path, "writing") as (directory, name):
            new = f".rootfs-kit-{secrets.token_hex(8)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(new, flags, 0o600, dir_fd=directory)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    yield file
                    file.flush()
                    _set_owner(descriptor, uid, gid)
                    os.fchmod(descriptor, mode)
                os.replace(new, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(new, dir_fd=directory)
                raise

    def copy_tree_in(self, source: Path, path: str = "/") -> None:
        """Lay the content of the host directory `source` over `path`: see `rootfs_kit.tree.lay`. Raises UsageError."""
        from rootfs_kit.tree.lay import lay_over

        lay_over(self, source, path)

    def unpack(self, archive: Path) -> None:
        """Unpack a tar archive over the tree: see `rootfs_kit.tree.unpack`. Raises BadArchive, UsageError."""
        from rootfs_kit.tree.unpack import unpack

        unpack(self, archive)

    def symlink(self, path: str, target: str) -> None:
        """Make `path` a link with the text `target`; replaces a file or link, never a directory."""
        self.make_directory(parent(normalise(path)))
        with self._at(path, "linking") as (directory, name):
            new = f".rootfs-kit-{secrets.token_hex(8)}"
            os.symlink(target, new, dir_fd=directory)
            self._put_in_place(directory, new, name)

    def hardlink(self, existing: str, path: str) -> None:
        """Make `path` another name of the file `existing` (a link at its end is not followed)."""
        self.make_directory(parent(normalise(path)))
        with (
            self._at(existing, "linking") as (source, old),
            self._at(path, "linking") as (directory, name),
        ):
            new = f".rootfs-kit-{secrets.token_hex(8)}"
            os.link(old, new, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
            self._put_in_place(directory, new, name)

    def make_node(self, path: str, mode: int, device: tuple[int, int] = (0, 0)) -> None:
        """Make a device node or FIFO; `mode` includes the file type (stat.S_IFCHR …)."""
        self.make_directory(parent(normalise(path)))
        with self._at(path, "making the node") as (directory, name):
            new = f".rootfs-kit-{secrets.token_hex(8)}"
            os.mknod(new, mode, os.makedev(*device), dir_fd=directory)
            os.chmod(new, stat.S_IMODE(mode), dir_fd=directory)
            self._put_in_place(directory, new, name)

    @staticmethod
    def _put_in_place(directory: int, new: str, name: str) -> None:
        try:
            os.replace(new, name, src_dir_fd=directory, dst_dir_fd=directory)
        finally:
            # rename(2) leaves both names where they are links to one file, and a failed one leaves the new name.
            with suppress(FileNotFoundError):
                os.unlink(new, dir_fd=directory)

    def rename(self, old: str, new: str) -> None:
        """Move `old` to `new`, replacing a file or link there."""
        self.make_directory(parent(normalise(new)))
        with (
            self._at(old, "renaming") as (source, old_name),
            self._at(new, "renaming") as (target, new_name),
        ):
            os.replace(old_name, new_name, src_dir_fd=source, dst_dir_fd=target)

    def remove(self, path: str) -> None:
        """Remove a file or link; nothing there is fine."""
        if self.lstat(path) is None:
            return
        with self._at(path, "removing") as (directory, name), suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)

    def remove_tree(self, path: str) -> None:
        """Remove a file, a link or a directory with all below it; links are removed, never followed."""
        entry = self.lstat(path)
        if entry is None or not entry.is_directory:
            self.remove(path)
            return
        with self._at(path, "removing") as (directory, name):
            shutil.rmtree(name, dir_fd=directory)

    def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits of what `path` leads to."""
        final = self._existing(path, "changing the mode of")
        if final == "/":
            os.chmod(f"/proc/self/fd/{self._root}", mode)
            return
        with self._at(final, "changing the mode of") as (directory, name):
            os.chmod(name, mode, dir_fd=directory)

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Set the owner of `path` itself; a link at its end is not followed."""
        with self._at(path, "changing the owner of") as (directory, name):
            os.chown(name, uid, gid, dir_fd=directory, follow_symlinks=False)

    def set_times(self, path: str, mtime: float) -> None:
        """Set the modification time, in seconds since 1970, of `path` itself."""
        with self._at(path, "setting the time of") as (directory, name):
            os.utime(name, (mtime, mtime), dir_fd=directory, follow_symlinks=False)

    def set_xattr(self, path: str, name: str, value: bytes) -> None:
        """Set an extended attribute of what `path` leads to."""
        final = self._existing(path, "setting an extended attribute of")
        with self._open(final, os.O_PATH | os.O_NOFOLLOW) as descriptor:
            os.setxattr(f"/proc/self/fd/{descriptor}", name, value)

    def _existing(self, path: str, doing: str) -> str:
        final = self.resolve(path).final
        if final is None:
            self._refuse(f"{doing} {shown(path)}", "there is no such file")
        assert final is not None
        return final

    def _root_entry(self) -> Entry:
        return entry_of("/", row_of(os.fstat(self._root), None))

    def _look(self, directory: str, name: str) -> Entry | None:
        try:
            with self._open(directory, DIRECTORY) as descriptor:
                status = os.lstat(name, dir_fd=descriptor)
                target = os.readlink(name, dir_fd=descriptor) if stat.S_ISLNK(status.st_mode) else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        return entry_of(join(directory, name), row_of(status, target))

    @contextmanager
    def _open(self, path: str, flags: int) -> Iterator[int]:
        descriptor = open_in_root(self._root, path, flags)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _at(self, path: str, doing: str) -> Iterator[tuple[int, str]]:
        """A descriptor of the directory that `path` is in, and its last component; OSErrors inside are explained."""
        path = normalise(path)
        if basename(path) in ("", ".."):
            self._refuse(f"{doing} {shown(path)}", "the path names no entry of a directory")
        try:
            with self._open(parent(path), DIRECTORY) as directory:
                yield directory, basename(path)
        except OSError as error:
            self._refuse(f"{doing} {shown(path)} in {self.root}", error.strerror or str(error), error)

    @staticmethod
    def _refuse(doing: str, found: str, cause: OSError | None = None) -> None:
        raise BuildFailed(doing, found, EDIT_HINT) from cause


def _set_owner(descriptor: int, uid: int, gid: int) -> None:
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (uid, gid):
        os.fchown(descriptor, uid, gid)
