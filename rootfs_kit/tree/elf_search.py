"""Where the dynamic loader of a rootfs looks for a library: the directories of glibc's ld.so and of musl's.

Follows ld.so(8) and musl's ldso/dynlink.c. The environment (LD_LIBRARY_PATH) is left out, as the programs that
matter here are started with none, and so are the CPU's own subdirectories (glibc-hwcaps): a guest may not rely on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from rootfs_kit.tree.elf import ElfFile

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

LD_SO_CONF = "/etc/ld.so.conf"
LD_SO_CACHE = "/etc/ld.so.cache"
MOST_INCLUDES = 100
LARGEST_LOADER = 64 << 20
MUSL_LOADER = re.compile(r"ld-musl-(.+)\.so\.1$")
MUSL_DEFAULT = ("/lib", "/usr/local/lib", "/usr/lib")
# Names that musl takes for itself whatever comes behind the dot (ldso/dynlink.c, load_library).
MUSL_OWN = re.compile(r"lib(c|pthread|rt|m|dl|util|xnet)\.")
MULTIARCH = {
    "aarch64": ("aarch64-linux-gnu",),
    "armv7l": ("arm-linux-gnueabihf", "arm-linux-gnueabi"),
    "i686": ("i386-linux-gnu",),
    "loongarch64": ("loongarch64-linux-gnu",),
    "ppc64le": ("powerpc64le-linux-gnu",),
    "riscv64": ("riscv64-linux-gnu",),
    "s390x": ("s390x-linux-gnu",),
    "x86_64": ("x86_64-linux-gnu",),
}
LIB64 = {"loongarch64": ("lib64",), "riscv64": ("lib64/lp64d", "lib64")}


class LoadedObject(NamedTuple):
    """A program or library as the loader opened it; `parent` is the one whose need brought it in."""

    path: str
    elf: ElfFile
    parent: LoadedObject | None

    @property
    def origin(self) -> str:
        """What $ORIGIN stands for: the directory of the object."""
        return self.path.rpartition("/")[0] or "/"

    def ancestry(self) -> Iterator[LoadedObject]:
        one: LoadedObject | None = self
        while one is not None:
            yield one
            one = one.parent


class GlibcSearch(NamedTuple):
    """ld.so's own order. `configured` are the directories of ldconfig, `builtin` those compiled into the loader."""

    machine: str
    configured: tuple[str, ...]
    builtin: tuple[str, ...]
    checks_versions: bool = True

    def is_the_loader_itself(self, library: str) -> bool:
        return False

    def directories(self, needed_by: LoadedObject) -> Iterator[str]:
        if not needed_by.elf.runpath:
            for one in needed_by.ancestry():
                if not one.elf.runpath:
                    yield from self._expanded(one.elf.rpath, one)
        yield from self._expanded(needed_by.elf.runpath, needed_by)
        yield from self.configured
        yield from self.builtin

    def _expanded(self, directories: Sequence[str], one: LoadedObject) -> Iterator[str]:
        lib = self.builtin[0].removeprefix("/usr").lstrip("/") if self.builtin else "lib"
        values = {"ORIGIN": one.origin, "LIB": lib, "PLATFORM": self.machine}
        for directory in directories:
            yield _substituted(directory, values)


class MuslSearch(NamedTuple):
    """musl's order: RPATH and RUNPATH are one, are inherited, and there is no cache and no symbol version."""

    path: tuple[str, ...]
    checks_versions: bool = False

    def is_the_loader_itself(self, library: str) -> bool:
        return MUSL_OWN.match(library) is not None

    def directories(self, needed_by: LoadedObject) -> Iterator[str]:
        for one in needed_by.ancestry():
            for directory in one.elf.runpath or one.elf.rpath:
                yield _substituted(directory, {"ORIGIN": one.origin})
        yield from self.path


Search = GlibcSearch | MuslSearch


def search_of(tree: RootfsTree, program: ElfFile) -> Search:
    """How the loader that `program` names looks for libraries; for a library, the loader that the tree has."""
    musl = MUSL_LOADER.search(program.interpreter or _musl_loader_of(tree, program) or "")
    if musl:
        return MuslSearch(_musl_path(tree, musl[1]))
    return GlibcSearch(program.machine, _configured(tree), _builtin(tree, program))


def _substituted(directory: str, values: dict[str, str]) -> str:
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda token: values.get(token[1] or token[2], token[0]), directory)


def _musl_loader_of(tree: RootfsTree, library: ElfFile) -> str | None:
    path = f"/lib/ld-musl-{library.machine}.so.1"
    return path if library.interpreter is None and tree.exists(path) else None


def _musl_path(tree: RootfsTree, architecture: str) -> tuple[str, ...]:
    file = f"/etc/ld-musl-{architecture}.path"
    if not tree.exists(file):
        return MUSL_DEFAULT
    return tuple(filter(None, re.split(r"[:\n]", tree.file(file).read_text())))


def _configured(tree: RootfsTree) -> tuple[str, ...]:
    """The directories that ldconfig put into the cache. The loader reads the cache only: without it, none."""
    return tuple(dict.fromkeys(_configured_in(tree, LD_SO_CONF, set()))) if tree.exists(LD_SO_CACHE) else ()


def _configured_in(tree: RootfsTree, file: str, seen: set[str]) -> Iterator[str]:
    if file in seen or len(seen) >= MOST_INCLUDES or not tree.file(file).is_file:
        return
    seen.add(file)
    for line in tree.file(file).read_text().split("\n"):
        words = line.partition("#")[0].replace(",", " ").replace(":", " ").split()
        if words[:1] == ["include"]:
            for pattern in words[1:]:
                for included in _matching(tree, pattern):
                    yield from _configured_in(tree, included, seen)
        elif words[:1] != ["hwcap"]:
            yield from (word.partition("=")[0] for word in words)


def _matching(tree: RootfsTree, pattern: str) -> list[str]:
    """The files that an include names; relative to /etc, wildcards in the last part only (as everybody writes them)."""
    directory, _, names = (pattern if pattern.startswith("/") else f"/etc/{pattern}").rpartition("/")
    if not tree.file(directory or "/").is_directory:
        return []
    return [f"{directory}/{name}" for name in tree.listdir(directory or "/") if fnmatchcase(name, names)]


def _builtin(tree: RootfsTree, program: ElfFile) -> tuple[str, ...]:
    """The directories compiled into the loader, in its own order; all that are usual where it does not tell.

    Distributions differ (Debian's loader knows nothing of lib64), and each loader holds its list as plain text.
    """
    candidates = _usual_directories(program)
    loader = program.interpreter
    if loader is None or not tree.file(loader).is_file:
        return candidates
    content = tree.read_bytes(loader, LARGEST_LOADER)
    known = tuple(one for one in candidates if f"\0{one}/\0".encode() in content)
    return known or candidates


def _usual_directories(program: ElfFile) -> tuple[str, ...]:
    multiarch = tuple(f"lib/{triplet}" for triplet in MULTIARCH.get(program.machine, ()))
    wide = LIB64.get(program.machine, ("lib64",)) if program.elf_class == 64 else ()
    return tuple(f"{prefix}/{name}" for name in (*multiarch, *wide, "lib") for prefix in ("", "/usr"))
