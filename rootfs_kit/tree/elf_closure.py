"""Whether a program of a rootfs could be started there: its loader, its libraries, their symbol versions.

Plays the dynamic loader without running anything, so that a guest of another architecture can be judged too.
What one file says is elf.py's part, and where loaders look elf_search.py's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rootfs_kit.tree.elf import CorruptElf, ElfFile, NotElf, read_elf
from rootfs_kit.tree.elf_layout import corrupt
from rootfs_kit.tree.elf_search import LoadedObject, Search, search_of
from rootfs_kit.tree.paths import basename, normalise, shown

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

SHOWN_DIRECTORIES = 6


class ElfProblemKind(StrEnum):
    """What stands between a program and its first instruction."""

    CORRUPT = "corrupt"
    LOADER_MISSING = "loader missing"
    LOADER_NOT_EXECUTABLE = "loader not executable"
    LIBRARY_MISSING = "library missing"
    VERSION_MISSING = "symbol version missing"
    WRONG_MACHINE = "wrong machine"


class ElfProblem(NamedTuple):
    """One reason why a program would not start. `path` is the file that has the need, `needed` what it names."""

    kind: ElfProblemKind
    path: str
    needed: str
    detail: str

    def __str__(self) -> str:
        return f"{shown(self.path)} {self.detail}"


@dataclass
class _Startup:
    """One program being loaded: what is in memory under which name, and what went wrong so far.

    A name that stands for None has been complained of already.
    """

    search: Search
    objects: list[LoadedObject]
    by_name: dict[str, LoadedObject | None] = field(default_factory=dict)
    problems: list[ElfProblem] = field(default_factory=list)

    def add(self, loaded: LoadedObject, *names: str | None) -> None:
        self.by_name.update((name, loaded) for name in (*names, loaded.elf.soname) if name)


class ElfClosure:
    """Answers for the programs of one tree; every file is read once, however many programs need it."""

    def __init__(self, tree: RootfsTree) -> None:
        self._tree = tree
        self._files: dict[str, ElfFile] = {}
        self._searches: dict[tuple[str | None, str, int], Search] = {}
        self._answers: dict[str, tuple[ElfProblem, ...]] = {}

    def problems(self, path: str) -> tuple[ElfProblem, ...]:
        """Why the program or library at `path` could not be loaded; nothing for one that can.

        Raises NotElf when `path` is no ELF file, and CouldNotLook when it, or a directory on the way, cannot be read.
        """
        final = self._tree.resolve(path).final or path
        if final not in self._answers:
            self._answers[final] = tuple(self._examine(final))
        return self._answers[final]

    def _examine(self, path: str) -> list[ElfProblem]:
        try:
            program = LoadedObject(path, self._sound_file(path), None)
            startup = _Startup(self._search(program.elf), [program])
            startup.add(program)
            self._load_interpreter(startup, program)
            self._load_libraries(startup)
        except CorruptElf as error:
            return [ElfProblem(ElfProblemKind.CORRUPT, path, "", f"is no sound ELF file: {error.found}")]
        return startup.problems + list(_missing_versions(startup))

    def _load_interpreter(self, startup: _Startup, program: LoadedObject) -> None:
        """What the kernel does first (fs/binfmt_elf.c): open the loader, which must be executable."""
        name = program.elf.interpreter
        if name is None:
            return
        problem = self._problem_of_interpreter(program, name)
        if problem:
            startup.problems.append(problem)
            startup.by_name[basename(name)] = None
            return
        loader = LoadedObject(name, self._file(self._tree.resolve(name).final or name), None)
        startup.add(loader, name, basename(name))

    def _problem_of_interpreter(self, program: LoadedObject, name: str) -> ElfProblem | None:
        file, path, kind = self._tree.file(_from_root(name)), program.path, ElfProblemKind
        if not file.exists:
            return ElfProblem(kind.LOADER_MISSING, path, name, f"needs the loader {shown(name)}, which is not there")
        if not file.is_executable:
            found = f"needs the loader {shown(name)}, which is no executable file ({file.describe()})"
            return ElfProblem(kind.LOADER_NOT_EXECUTABLE, path, name, found)
        try:
            loader = self._sound_file(file.target.final or name)
        except (NotElf, CorruptElf) as error:
            return ElfProblem(kind.CORRUPT, path, name, f"needs the loader {shown(name)}: {error.found}")
        if _fits(loader, program.elf):
            return None
        found = f"is for {_machine(program.elf)}, but its loader {shown(name)} is for {_machine(loader)}"
        return ElfProblem(kind.WRONG_MACHINE, path, name, found)

    def _load_libraries(self, startup: _Startup) -> None:
        """Breadth first, as the loader does; a name or soname that is loaded already is not looked for again."""
        for needed_by in startup.objects:
            for name in needed_by.elf.needed:
                if name in startup.by_name or startup.search.is_the_loader_itself(name):
                    continue
                outcome = self._find_library(startup.search, needed_by, name)
                if isinstance(outcome, ElfProblem):
                    startup.problems.append(outcome)
                else:
                    startup.objects.append(outcome)
                    startup.add(outcome, name)

    def _find_library(self, search: Search, needed_by: LoadedObject, name: str) -> LoadedObject | ElfProblem:
        """The first file of that name for the right machine; others are passed over (elf/dl-load.c, open_verify)."""
        directories = [""] if "/" in name else list(dict.fromkeys(search.directories(needed_by)))
        foreign: str | None = None
        for directory in directories:
            path = _from_root(f"{directory}/{name}" if directory else name)
            resolution = self._tree.resolve(path)
            if resolution.final is None or resolution.entry is None or not resolution.entry.is_file:
                continue
            try:
                library = self._sound_file(resolution.final)
            except (NotElf, CorruptElf) as error:
                found = f"needs {shown(name)}, and {shown(path)} is no library: {error.found}"
                return ElfProblem(ElfProblemKind.CORRUPT, needed_by.path, name, found)
            if _fits(library, needed_by.elf):
                return LoadedObject(path, library, needed_by)
            foreign = foreign or f"{shown(path)} is for {_machine(library)}"
        return _not_found(needed_by, name, directories, foreign)

    def _search(self, program: ElfFile) -> Search:
        key = (program.interpreter, program.machine, program.elf_class)
        if key not in self._searches:
            self._searches[key] = search_of(self._tree, program)
        return self._searches[key]

    def _sound_file(self, path: str) -> ElfFile:
        """The file with all in it read that loading it takes. Raises NotElf, CorruptElf."""
        elf = self._file(path)
        if elf.is_cut_short:
            raise corrupt(path, "it ends before what is to be mapped")
        _ = elf.dynamic
        return elf

    def _file(self, path: str) -> ElfFile:
        if path not in self._files:
            self._files[path] = read_elf(self._tree, path)
        return self._files[path]


def closure_problems(tree: RootfsTree, path: str) -> tuple[ElfProblem, ...]:
    """Why the program at `path` could not be started in `tree`; nothing for one that can.

    Raises NotElf when `path` is no ELF file, and CouldNotLook when it, or a directory on the way, cannot be read.
    """
    return _closure_of(tree).problems(path)


@lru_cache(maxsize=8)
def _closure_of(tree: RootfsTree) -> ElfClosure:
    return ElfClosure(tree)


def _from_root(path: str) -> str:
    """Relative names start at the working directory; the programs that matter here are started in /."""
    return normalise(path if path.startswith("/") else f"/{path}")


def _fits(one: ElfFile, other: ElfFile) -> bool:
    return (one.machine, one.elf_class) == (other.machine, other.elf_class)


def _machine(elf: ElfFile) -> str:
    return f"{elf.machine} ({elf.elf_class}-bit)"


def _not_found(needed_by: LoadedObject, name: str, directories: list[str], foreign: str | None) -> ElfProblem:
    if foreign:
        found = f"needs {shown(name)} for {_machine(needed_by.elf)}, and {foreign}"
        return ElfProblem(ElfProblemKind.WRONG_MACHINE, needed_by.path, name, found)
    places = [shown(directory) for directory in directories if directory]
    more = f" and {len(places) - SHOWN_DIRECTORIES} more" if len(places) > SHOWN_DIRECTORIES else ""
    where = f" in {', '.join(places[:SHOWN_DIRECTORIES])}{more}" if places else ""
    found = f"needs {shown(name)}, which is not there{where}"
    return ElfProblem(ElfProblemKind.LIBRARY_MISSING, needed_by.path, name, found)


def _missing_versions(startup: _Startup) -> Iterator[ElfProblem]:
    """Versions that a library was linked against and the one that was found does not define.

    One that defines none at all passes, as the loader only warns (elf/dl-version.c, match_symbol), if it has a table
    of versions for needs of its own; without any table the loader gives up (elf/dl-lookup.c, check_match).
    """
    if not startup.search.checks_versions:
        return
    for one in startup.objects:
        for library, versions in one.elf.symbol_versions_needed.items():
            found = startup.by_name.get(library)
            if found is None:
                continue
            offered = found.elf.symbol_versions_offered
            missing = sorted(set(versions) - offered)
            if missing and (offered or not found.elf.symbol_versions_needed):
                lacks = f"needs {', '.join(map(shown, missing))} of {shown(library)}, which {shown(found.path)} lacks"
                yield ElfProblem(ElfProblemKind.VERSION_MISSING, one.path, library, lacks)
