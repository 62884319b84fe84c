"""The kernel modules of one version: what is there, what the indexes say, and where the two disagree.

Reads /lib/modules/<version> through the tree; single files are module_file.py's part, kmod's binary index
module_index.py's. Which disagreement matters to a guest is for the checks to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rootfs_kit.tree.elf import CorruptElf, NotElf
from rootfs_kit.tree.entry import Entry
from rootfs_kit.tree.machines import rootfs_machine
from rootfs_kit.tree.module_file import CorruptModule, ModuleIdentity, module_name, normalised, read_identity
from rootfs_kit.tree.module_index import CorruptIndex, read_index
from rootfs_kit.tree.paths import join, parent, shown

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

PARENTS = ("/lib/modules", "/usr/lib/modules")
# What tells a module directory: depmod's output, or the two lists that the kernel's own `make` installs.
MARKS = ("modules.dep", "modules.order", "modules.builtin")
KERNEL_LINKS = ("build", "source")
# A directory full of links to the modules of other kernels that fit this one (SUSE, RHEL).
OF_OTHER_KERNELS = "/weak-updates/"
# Seconds to find the version magic, for each MiB of files, measured on one core of 2023; plain modules are not read.
SECONDS_PER_MIB = {".xz": 0.065, ".gz": 0.011, ".zst": 0.006}
SECONDS_PER_FILE = 0.0002
PATIENCE = 0.5
MOST_OF_A_KIND = 5
LARGEST_INDEX = 64 << 20
# Kernels run programs of their small sibling too, so that a tree's programs may be of the one and modules of the other.
RUNS_ALSO = {"x86_64": "i686", "aarch64": "armv7l", "ppc64": "ppc", "s390x": "s390", "mips64": "mips"}


class ProblemKind(StrEnum):
    """How a module directory can be wrong."""

    EMPTY = "empty"
    NESTED = "nested module directory"
    DANGLING_LINK = "dangling link"
    DEP_MISSING = "modules.dep missing"
    INDEX_MISSING = "binary index missing"
    INDEX_CORRUPT = "binary index corrupt"
    INDEX_STALE = "binary index stale"
    FILE_ABSENT = "file absent"
    FILE_NOT_INDEXED = "file not in modules.dep"
    CORRUPT = "corrupt module"
    VERMAGIC = "other kernel"
    MACHINE = "other machine"


class ModuleProblem(NamedTuple):
    """One thing that is wrong; `path` is the file or directory at fault, `detail` says what about it."""

    kind: ProblemKind
    path: str
    detail: str

    def __str__(self) -> str:
        return self.detail


class Module(NamedTuple):
    """One module by its normalised name; `path` is None for one that is built into the kernel."""

    name: str
    path: str | None

    @property
    def is_builtin(self) -> bool:
        return self.path is None


class ModuleTree:
    """The modules of kernel `version` in `tree`; everything is read when it is first asked about, and once.

    Any question may raise CouldNotLook where the directory or a file in it cannot be read.
    """

    def __init__(self, tree: RootfsTree, version: str) -> None:
        self._tree = tree
        self.version = version
        places = [join(place, version) for place in PARENTS]
        self.directory = next((place for place in places if tree.file(place).is_directory), places[0])

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Every module file of the directory: path below it ("kernel/fs/fuse/fuse.ko") -> guest path, sorted."""
        top, nested = self._real_directory, tuple(f"{directory}/" for directory in self.nested)
        return {
            path[len(top) + 1 :]: path
            for path, entry in self._entries.items()
            if module_name(path) and not path.startswith(nested)
            if entry.is_file or (entry.is_symlink and self._tree.file(path).is_file)
        }

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all module files, `_` for `-`."""
        return frozenset(self._by_name)

    @cached_property
    def builtin(self) -> frozenset[str]:
        """The names that modules.builtin lists: present without a file."""
        return frozenset(name for line in self._lines("modules.builtin") if (name := module_name(line)))

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The paths that modules.order lists, as they stand there; not every one has to be in a trimmed guest."""
        return tuple(self._lines("modules.order"))

    @cached_property
    def dep(self) -> Mapping[str, tuple[str, ...]]:
        """modules.dep(5): path of a module -> paths that it needs, all relative to the directory."""
        entries = (line.partition(":") for line in self._lines("modules.dep"))
        return {self._relative(path): tuple(map(self._relative, needs.split())) for path, _, needs in entries}

    @cached_property
    def softdeps(self) -> Mapping[str, tuple[str, ...]]:
        """modules.softdep: name -> names that modprobe loads with it where they are there (modprobe.d(5))."""
        words = (line.split() for line in self._lines("modules.softdep"))
        return {
            normalised(line[1]): tuple(normalised(word) for word in line[2:] if not word.endswith(":"))
            for line in words
            if line[:1] == ["softdep"] and len(line) > 2
        }

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """modules.alias: pattern -> name of the module that answers to it (the last one, where several do)."""
        words = (line.split() for line in self._lines("modules.alias"))
        return {line[1]: normalised(line[2]) for line in words if line[:1] == ["alias"] and len(line) == 3}

    @cached_property
    def nested(self) -> tuple[str, ...]:
        """Module directories inside this one: somebody copied /lib/modules, or one more level of it, too deep."""
        marked = {parent(path) for path in self._entries if path.rpartition("/")[2] in MARKS}
        return tuple(sorted(marked - {self._real_directory}))

    def find(self, name: str) -> Module | None:
        """The module that `modprobe NAME` would find, as a file or built in; None for one that is not there."""
        name = normalised(name)
        path = self._by_name.get(name)
        if path is None and name not in self.builtin:
            return None
        return Module(name, path)

    def dependencies(self, name: str) -> tuple[Module, ...]:
        """Every module that `name` needs, directly or through another, those that are loaded first coming first.

        Those that modules.dep names and the directory lacks are left out: `problems` tells of them.
        """
        start = next((path for path in self.dep if module_name(path) == normalised(name)), None)
        found: dict[str, None] = {}
        if start is not None:
            self._collect_dependencies(start, found)
        modules = (Module(module_name(path) or path, self.files[path]) for path in found if path in self.files)
        return tuple(module for module in modules if module.name != normalised(name))

    def identity(self, path: str) -> ModuleIdentity:
        """Machine and version magic of one module file (a guest path). Raises NotElf, CorruptElf, CorruptModule."""
        with self._tree.open(path) as stream:
            return read_identity(stream, path)

    def sample(self) -> tuple[str, ...]:
        """The module files to judge within half a second: all of them, as a rule.

        Thousands of modules packed by xz take longer. Of those, the first of each directory, and all that stand
        outside of kernel/, which is where another kernel's modules get in.
        """
        if self._seconds() <= PATIENCE:
            return tuple(self.files.values())
        firsts = {parent(path): path for path in reversed(tuple(self.files.values()))}
        outside = (path for relative, path in self.files.items() if not relative.startswith("kernel/"))
        return tuple(sorted({*firsts.values(), *outside}))

    def problems(self) -> tuple[ModuleProblem, ...]:
        """Everything that is wrong with the indexes, and with those module files that `sample` names."""
        return (*self.index_problems, *self._problems_of_sample)

    @cached_property
    def index_problems(self) -> tuple[ModuleProblem, ...]:
        """Where the files, modules.dep and its binary form disagree (depmod(8), modules.dep(5))."""
        nested = [
            ModuleProblem(ProblemKind.NESTED, path, f"is the module directory of a kernel inside of {self.directory}")
            for path in self.nested
        ]
        if not self.files and not self.builtin:
            empty = ModuleProblem(ProblemKind.EMPTY, self.directory, "holds no kernel module at all")
            return tuple(nested) or (empty,)
        return (*nested, *self._dangling_links(), *self._index_disagreements())

    def identity_problems(self, paths: Iterable[str]) -> tuple[ModuleProblem, ...]:
        """Which of these module files are damaged, or of another kernel or machine.

        Those that are built for the same wrong thing make one problem.
        """
        damaged, identities = self._identities(paths)
        return (*damaged, *self._of_another_kernel(identities), *self._of_another_machine(identities))

    @cached_property
    def _problems_of_sample(self) -> tuple[ModuleProblem, ...]:
        return self.identity_problems(self.sample())

    @cached_property
    def _real_directory(self) -> str:
        return self._tree.resolve(self.directory).final or self.directory

    @cached_property
    def _entries(self) -> Mapping[str, Entry]:
        """All that is in the directory and is none itself, sorted by path."""
        if not self._tree.file(self._real_directory).is_directory:
            return {}
        entries = (entry for entry in self._tree.walk(self._real_directory) if not entry.is_directory)
        return {entry.path: entry for entry in sorted(entries)}

    @cached_property
    def _by_name(self) -> Mapping[str, str]:
        """The file that modules.dep prefers, where there are several of one name (updates/ before kernel/)."""
        chosen = {module_name(relative) or relative: path for relative, path in self.files.items()}
        chosen.update((module_name(one) or one, self.files[one]) for one in self.dep if one in self.files)
        return chosen

    def _lines(self, name: str) -> Iterator[str]:
        file = self._tree.file(join(self._real_directory, name))
        if file.exists:
            lines = (line.strip() for line in file.read_text().split("\n"))
            yield from (line for line in lines if line and not line.startswith("#"))

    def _relative(self, path: str) -> str:
        """Old depmods write absolute paths."""
        tops = (f"{self.directory}/", f"{self._real_directory}/")
        return next((path[len(top) :] for top in tops if path.startswith(top)), path)

    def _collect_dependencies(self, start: str, found: dict[str, None]) -> None:
        """Depth first, deepest first; without recursion, as a made-up modules.dep may be a loop or a long chain."""
        waiting, entered = [(start, False)], set[str]()
        while waiting:
            path, is_done = waiting.pop()
            if is_done:
                found[path] = None
            elif path not in entered:
                entered.add(path)
                waiting.append((path, True))
                waiting.extend((need, False) for need in self.dep.get(path, ()))

    def _dangling_links(self) -> Iterator[ModuleProblem]:
        for name in KERNEL_LINKS:
            path = join(self._real_directory, name)
            file = self._tree.file(path)
            if file.is_symlink and not file.exists:
                yield ModuleProblem(ProblemKind.DANGLING_LINK, path, file.describe())

    def _index_disagreements(self) -> Iterator[ModuleProblem]:
        path = join(self._real_directory, "modules.dep")
        if not self._tree.exists(path):
            yield ModuleProblem(ProblemKind.DEP_MISSING, path, f"is not there, for {len(self.files)} modules")
            return
        indexed = {*self.dep, *(need for needs in self.dep.values() for need in needs)}
        absent = [join(self._real_directory, relative) for relative in sorted(indexed - self.files.keys())]
        yield from _first_few(ProblemKind.FILE_ABSENT, absent, "is in modules.dep, but not in the rootfs")
        indexed_names = {module_name(relative) for relative in self.dep}
        unknown = [path for relative, path in self.files.items() if module_name(relative) not in indexed_names]
        yield from _first_few(ProblemKind.FILE_NOT_INDEXED, unknown, "is a module that modules.dep does not know")
        yield from self._binary_disagreement(f"{path}.bin")

    def _binary_disagreement(self, path: str) -> Iterator[ModuleProblem]:
        if not self._tree.exists(path):
            yield ModuleProblem(ProblemKind.INDEX_MISSING, path, "is not there; kmod's modprobe reads nothing else")
            return
        try:
            index = read_index(self._tree.read_bytes(path, LARGEST_INDEX), shown(path))
        except CorruptIndex as error:
            yield ModuleProblem(ProblemKind.INDEX_CORRUPT, path, error.found)
            return
        binary = {line for lines in index.values() for line in lines}
        text = set(self._lines("modules.dep"))
        if binary != text:
            detail = f"is not made from this modules.dep: {len(binary ^ text)} of their lines differ"
            yield ModuleProblem(ProblemKind.INDEX_STALE, path, detail)

    def _seconds(self) -> float:
        """How long it would take to read the identities of all files."""
        total = 0.0
        for path in self.files.values():
            rate = next((rate for suffix, rate in SECONDS_PER_MIB.items() if path.endswith(suffix)), 0.0)
            total += SECONDS_PER_FILE + rate * self._entries[path].size / (1 << 20)
        return total

    def _identities(self, paths: Iterable[str]) -> tuple[list[ModuleProblem], dict[str, ModuleIdentity]]:
        damaged, identities = [], {}
        for path in paths:
            try:
                identities[path] = self.identity(path)
            except (NotElf, CorruptElf, CorruptModule) as error:
                damaged.append(ModuleProblem(ProblemKind.CORRUPT, path, error.found))
        return damaged, identities

    def _of_another_kernel(self, identities: Mapping[str, ModuleIdentity]) -> Iterator[ModuleProblem]:
        wrong = {
            path: identity.kernel or "no kernel at all (no version magic)"
            for path, identity in identities.items()
            if identity.kernel != self.version and OF_OTHER_KERNELS not in path
        }
        return _grouped(ProblemKind.VERMAGIC, wrong)

    def _of_another_machine(self, identities: Mapping[str, ModuleIdentity]) -> Iterator[ModuleProblem]:
        """Held against the tree's own programs, and where there are none (an overlay) against most of the modules."""
        machines = Counter(identity.machine for identity in identities.values())
        expected = rootfs_machine(self._tree) or next((machine for machine, _ in machines.most_common(1)), None)
        right = {machine for machine in machines if expected in (machine, RUNS_ALSO.get(machine))}
        wrong = {path: identity.machine for path, identity in identities.items() if identity.machine not in right}
        return _grouped(ProblemKind.MACHINE, wrong)


@lru_cache(maxsize=8)
def read_modules(tree: RootfsTree, version: str) -> ModuleTree:
    """The modules of kernel `version`; the same object for every check that asks."""
    return ModuleTree(tree, version)


def _first_few(kind: ProblemKind, paths: list[str], detail: str) -> Iterator[ModuleProblem]:
    """One problem per path, the last one standing for all that follow: a thousand lines would hide the others."""
    left = len(paths) - MOST_OF_A_KIND
    for number, path in enumerate(paths[:MOST_OF_A_KIND], 1):
        others = f", and so it is with {left} more" if left > 0 and number == MOST_OF_A_KIND else ""
        yield ModuleProblem(kind, path, detail + others)


def _grouped(kind: ProblemKind, wrong: Mapping[str, str]) -> Iterator[ModuleProblem]:
    for built_for in dict.fromkeys(wrong.values()):
        paths = [path for path, value in wrong.items() if value == built_for]
        others = f", and so are {len(paths) - 1} more modules" if len(paths) > 1 else ""
        yield ModuleProblem(kind, paths[0], f"is built for {shown(built_for)}{others}")
