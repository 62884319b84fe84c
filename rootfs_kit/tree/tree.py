"""RootfsTree: the one door through which a rootfs is read.

Paths are guest paths, and links are followed inside the root, as the guest's kernel will. Nothing is executed,
nothing is written, and nothing is opened that is not a regular file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from rootfs_kit.errors import CouldNotLook, NotARegularFile
from rootfs_kit.tree.entry import Entry, Kind
from rootfs_kit.tree.index import Index
from rootfs_kit.tree.paths import Resolution, normalise, parent, resolve, shown
from rootfs_kit.tree.source import Lookup, Source

if TYPE_CHECKING:
    from rootfs_kit.tree.elf import ElfFile
    from rootfs_kit.tree.modules import ModuleTree
    from rootfs_kit.tree.packages import PackageSet
    from rootfs_kit.tree.units import Unit

MODULES = ("/lib/modules", "/usr/lib/modules")
"""One directory on merged-usr trees; an overlay may have the second alone."""
CHUNK = 1 << 20
MOST_REMEMBERED = 20_000
"""Answers to `resolve` that are kept; checks ask again for hundreds of paths, and once for each link of the tree."""
MOST_BYTES = 512 << 20
"""Bytes of a file that are ever read into memory: agents with debug information come near it."""
MOST_TEXT = 16 << 20
"""The same for text, of which every line becomes an object; the largest in a guest are the lists of modules."""
MOST_HASHED = (4 << 30) - 1
"""The largest file that an initrd can hold (cpio's newc format writes sizes with eight hexadecimal digits)."""


@contextmanager
def _read_errors(path: str, hint: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CouldNotLook(f"reading {shown(path)}", error.strerror or str(error), hint) from error


def _too_large(path: str, most: int) -> CouldNotLook:
    return CouldNotLook(
        f"reading {shown(path)}",
        f"it has more than the {most} bytes that are ever read of such a file",
        "Look at what it is: no guest needs a file like that.",
    )


class Unreadable(NamedTuple):
    """A path of which nothing is known, and the kernel's reason."""

    path: str
    reason: str


class RootfsTree:
    """A read-only view of one rootfs. `name` is what its user calls it."""

    def __init__(self, name: str, source: Source) -> None:
        self.name = name
        self._source = source
        self._known: Lookup | None = None
        self._resolutions: dict[str, Resolution] = {}

    @property
    def source_kind(self) -> str:
        return self._source.kind

    @cached_property
    def _index(self) -> Index:
        """The whole tree; from then on it answers about single paths too."""
        self._known = index = self._source.scan()
        return index

    @property
    def _lookup(self) -> Lookup:
        if self._known is None:
            self._known = self._source.lookup()
        return self._known

    @property
    def unreadable_hint(self) -> str:
        """What to do where a part of it cannot be read."""
        return self._source.unreadable_hint

    def why_lost(self, path: str) -> str | None:
        """Why an entry that the archive has for `path` will not be in the tree; None where there is none."""
        return self._lookup.why_lost(normalise(path))

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """What the scan could not enter, in order of path."""
        return tuple(Unreadable(path, reason) for path, reason in sorted(self._index.unreadable.items()))

    def __len__(self) -> int:
        """How many entries the tree has, its root among them."""
        return len(self._index)

    def __bool__(self) -> bool:
        return True

    def resolve(self, path: str) -> Resolution:
        """Where `path` leads when every link in it is followed. Raises CouldNotLook below an unreadable directory."""
        known = self._resolutions.get(path)
        if known is None:
            known = self._follow(path)
            if len(self._resolutions) < MOST_REMEMBERED:
                self._resolutions[path] = known
        return known

    def _follow(self, path: str) -> Resolution:
        """From the directory that holds it, where `path` names that without links: deep paths are long ways."""
        above, _, name = path.rpartition("/")
        start = self._lookup.directory(above) if above else None
        return resolve(path, self._look, self._lookup.root_entry(), start, name)

    def _look(self, directory: str, name: str) -> Entry | None:
        entry = self._lookup.look(directory, name)
        if entry is None:
            self._refuse_to_guess(directory)
            self._refuse_to_guess(f"{directory.rstrip('/')}/{name}")
        return entry

    def _refuse_to_guess(self, path: str) -> None:
        why = self._lookup.why_unread(path)
        if why is not None:
            raise CouldNotLook(f"looking into {shown(path)}", why, self.unreadable_hint)

    def lstat(self, path: str) -> Entry | None:
        """What is at `path`; a link at its end is not followed. None where nothing is. Raises CouldNotLook."""
        path = normalise(path)
        name = path.rpartition("/")[2]
        if name in ("", ".."):
            return self.resolve(path).entry
        directory = self.resolve(parent(path))
        if directory.entry is None or not directory.entry.is_directory:
            return None
        return self._look(directory.entry.path, name)

    def exists(self, path: str) -> bool:
        """Whether something is there once links are followed. Raises CouldNotLook."""
        return self.resolve(path).entry is not None

    def file(self, path: str) -> RootfsFile:
        """A handle to what is, or is not, at `path`."""
        return RootfsFile(self, normalise(path))

    def listdir(self, path: str) -> list[str]:
        """The sorted names in a directory; none where it does not exist. Raises CouldNotLook."""
        directory = self.resolve(path).entry
        if directory is None or not directory.is_directory:
            return []
        names = self._lookup.names(directory.path)
        if not names:
            self._refuse_to_guess(directory.path)
        return names

    def walk(self, path: str = "/", *kinds: Kind) -> Iterator[Entry]:
        """What is at `path`, and all below it, or only what is of `kinds`. Nothing where nothing is.

        Links inside are not followed.
        """
        start = self.resolve(path).final
        return self._index.walk(start, kinds) if start is not None else iter(())

    def open(self, path: str) -> BinaryIO:
        """The content of the regular file that `path` leads to. Raises CouldNotLook, NotARegularFile."""
        resolution = self.resolve(path)
        if resolution.entry is None:
            where = f" ({shown(resolution.missing_at)})" if resolution.missing_at else ""
            raise CouldNotLook(
                f"reading {shown(path)}", f"{resolution.problem}{where}", "Ask whether it exists before reading it."
            )
        if not resolution.entry.is_file:
            raise NotARegularFile(
                f"reading {shown(path)}", f"it is a {resolution.entry.kind}", "Only regular files are ever opened."
            )
        return self._source.open(resolution.entry)

    def read_bytes(self, path: str, limit: int | None = None) -> bytes:
        """The content of a regular file, at most its first `limit` bytes.

        Raises CouldNotLook, also for a whole file of more than MOST_BYTES, and NotARegularFile.
        """
        return self._read_whole(path, MOST_BYTES) if limit is None else self._read(path, limit)

    def read_text(self, path: str) -> str:
        """UTF-8 with undecodable bytes kept as surrogates.

        Raises CouldNotLook, also for a file of more than MOST_TEXT bytes, and NotARegularFile.
        """
        return self._read_whole(path, MOST_TEXT).decode("utf-8", "surrogateescape")

    def sha256(self, path: str) -> str:
        """Hexadecimal digest of the content. Raises as `read_bytes`, for a file of more than MOST_HASHED bytes."""
        digest = hashlib.sha256()
        left = MOST_HASHED
        with self.open(path) as file, _read_errors(path, self.unreadable_hint):
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                left -= len(chunk)
                if left < 0:
                    raise _too_large(path, MOST_HASHED)
        return digest.hexdigest()

    def _read_whole(self, path: str, most: int) -> bytes:
        """All of a file; it may have grown since it was looked at, so one byte more is asked for."""
        entry = self.resolve(path).entry
        content = self._read(path, most + 1) if entry is None or entry.size <= most else None
        if content is None or len(content) > most:
            raise _too_large(path, most)
        return content

    def _read(self, path: str, limit: int) -> bytes:
        """`read` sets aside as many bytes as it is asked for, so that it is asked for what the scan saw first."""
        with self.open(path) as file, _read_errors(path, self.unreadable_hint):
            entry = self.resolve(path).entry
            size = entry.size if entry is not None else 0
            content = file.read(min(limit, size + 1))
            return content if len(content) <= size else content + file.read(limit - len(content))

    def xattrs(self, path: str) -> Mapping[str, bytes]:
        """The extended attributes of what `path` leads to. Raises CouldNotLook."""
        entry = self.resolve(path).entry
        return self._source.xattrs(entry) if entry is not None else {}

    @cached_property
    def os_release(self) -> Mapping[str, str]:
        """os-release(5) of the tree; empty where it has none. Raises CouldNotLook."""
        from rootfs_kit.tree.os_release import read_os_release

        return read_os_release(self)

    @cached_property
    def packages(self) -> PackageSet:
        """What is installed, by whichever witness the tree has. Raises CouldNotLook for a damaged database."""
        from rootfs_kit.tree.packages import read_packages

        return read_packages(self)

    def elf(self, path: str) -> ElfFile:
        """The ELF file that `path` leads to. Raises NotElf, CouldNotLook."""
        from rootfs_kit.tree.elf import read_elf

        return read_elf(self, path)

    @property
    def module_versions(self) -> tuple[str, ...]:
        """The kernels that there are directories of modules for."""
        found = {name for place in MODULES for name in self.listdir(place) if self.file(f"{place}/{name}").is_directory}
        return tuple(sorted(found))

    def modules(self, version: str) -> ModuleTree:
        """The kernel modules of one version. Raises CouldNotLook."""
        from rootfs_kit.tree.modules import read_modules

        return read_modules(self, version)

    def unit(self, name: str) -> Unit | None:
        """The systemd unit of that name as systemd would load it, or None. Raises CouldNotLook."""
        from rootfs_kit.tree.units import find_unit

        return find_unit(self, name)


class RootfsFile:
    """What is at one path of a tree. The questions follow links, but for `entry`, `is_symlink` and `link_text`."""

    def __init__(self, tree: RootfsTree, path: str) -> None:
        self.tree = tree
        self.path = path

    @property
    def entry(self) -> Entry | None:
        return self.tree.lstat(self.path)

    @property
    def target(self) -> Resolution:
        return self.tree.resolve(self.path)

    @property
    def _final(self) -> Entry | None:
        return self.target.entry

    @property
    def exists(self) -> bool:
        return self._final is not None

    @property
    def is_file(self) -> bool:
        return self._final is not None and self._final.is_file

    @property
    def is_directory(self) -> bool:
        return self._final is not None and self._final.is_directory

    @property
    def is_symlink(self) -> bool:
        return self.entry is not None and self.entry.is_symlink

    @property
    def link_text(self) -> str | None:
        """The text of a link, None for everything else."""
        return self.entry.target if self.entry is not None else None

    @property
    def is_executable(self) -> bool:
        """A regular file that somebody may execute."""
        return self.is_file and bool(self.mode & 0o111)

    @property
    def mode(self) -> int:
        """Permission bits, 0 where nothing is."""
        return self._final.mode if self._final else 0

    @property
    def uid(self) -> int | None:
        return self._final.uid if self._final else None

    @property
    def gid(self) -> int | None:
        return self._final.gid if self._final else None

    @property
    def size(self) -> int:
        """Bytes, 0 where nothing is."""
        return self._final.size if self._final else 0

    def read_bytes(self, limit: int | None = None) -> bytes:
        return self.tree.read_bytes(self.path, limit)

    def read_text(self) -> str:
        """UTF-8 with undecodable bytes kept as surrogates. Raises CouldNotLook, NotARegularFile."""
        return self.tree.read_text(self.path)

    def sha256(self) -> str:
        """Hexadecimal digest of the content. Raises CouldNotLook, NotARegularFile."""
        return self.tree.sha256(self.path)

    def describe(self) -> str:
        """What is there, in words for a finding."""
        entry = self.entry
        if entry is None:
            lost = self.tree.why_lost(self.path)
            return f"nothing; it is in the archive, but will be lost: {lost}" if lost else "nothing"
        if not entry.is_symlink:
            return f"a {entry.kind}, mode {entry.mode:04o}"
        return f"a symlink to {shown(entry.target or '')}, {self._where_it_leads()}"

    def _where_it_leads(self) -> str:
        resolution = self.target
        if resolution.problem == "loop":
            return "which goes round in a loop"
        if resolution.problem == "not-a-directory":
            return f"which passes through {shown(resolution.missing_at or '')}, no directory"
        if resolution.entry is None:
            return f"which does not exist ({shown(resolution.missing_at or '')})"
        return f"which is a {resolution.entry.kind}, mode {resolution.entry.mode:04o}"
