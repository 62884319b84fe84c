"""Modules: whether the kernel modules that are there could ever be loaded."""

from __future__ import annotations

from collections.abc import Iterator

from rootfs_kit.suite.check import ERROR, FULL, WARN, Finding, check, report, require
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.modules import ProblemKind

FILES_AND_INDEX = frozenset(kind for kind in ProblemKind if kind not in (ProblemKind.VERMAGIC, ProblemKind.MACHINE))
OF_ANOTHER_KERNEL = frozenset({ProblemKind.VERMAGIC, ProblemKind.MACHINE})

# modules-load.d(5), and Debian's own list (modules(5)).
LOAD_DIRECTORIES = ("/etc/modules-load.d", "/usr/lib/modules-load.d", "/lib/modules-load.d")
LOAD_FILE = "/etc/modules"


def _findings(
    rootfs: RootfsTree, version: str, kinds: frozenset[ProblemKind], at_boot: str, mend: str
) -> list[Finding]:
    tree = rootfs.modules(version)
    return [
        Finding(problem.path, str(problem), f"modules and indexes of kernel {version} that agree", at_boot, mend)
        for problem in tree.problems()
        if problem.kind in kinds
    ]


@check("MOD-01", severity=ERROR, features=["modules"], source="depmod(8), modules.dep(5); kata-containers#3936")
def test_module_index_agrees_with_the_files(rootfs: RootfsTree, module_version: str) -> None:
    """Guards against modules that modprobe cannot find, or an index that names files that are not there.

    Run `depmod -b ROOTFS VERSION` after copying modules; rootfs-kit does.
    """
    report(
        _findings(
            rootfs,
            module_version,
            FILES_AND_INDEX,
            at_boot="modprobe says: Module not found in directory /lib/modules/…, and CreateSandbox fails",
            mend=f"run depmod -b ROOTFS {module_version}",
        )
    )


@check("MOD-01", severity=ERROR, features=["modules"], source="kernel Documentation/kbuild/modules.rst; modprobe(8)")
def test_modules_are_there(rootfs: RootfsTree) -> None:
    """Guards against a build that lost its modules, where the profile says that the guest has some.

    Copy the directory of the kernel's modules to /lib/modules (rootfs-kit build --kernel-modules DIR).
    """
    require(
        bool(rootfs.module_versions),
        "/lib/modules",
        found=rootfs.file("/lib/modules").describe(),
        expected="a directory for each kernel, as the profile names the feature modules",
        at_boot="CreateSandbox fails as soon as the runtime asks for a module that is not built in",
        mend="build with the kernel's modules, or leave modules out of the profile",
    )


@check(
    "MOD-02", severity=ERROR, features=["modules"], source="kata-containers#4958, #3116; kernel kernel/module/main.c"
)
def test_modules_are_of_their_kernel(rootfs: RootfsTree, module_version: str) -> None:
    """Guards against modules that were built for another kernel or architecture than their directory says."""
    report(
        _findings(
            rootfs,
            module_version,
            OF_ANOTHER_KERNEL,
            at_boot="the kernel refuses the module: version magic … should be …, or Exec format error",
            mend=f"copy the modules that were built with kernel {module_version}",
        )
    )


@check("MOD-03", severity=ERROR, content=FULL, features=["modules"], source="src/agent/src/rpc.rs:124, 2582")
def test_modprobe_is_where_the_agent_looks(rootfs: RootfsTree) -> None:
    """Guards against modules that nothing can load: the agent starts /sbin/modprobe. Install kmod."""
    modprobe = rootfs.file("/sbin/modprobe")
    require(
        modprobe.is_executable,
        "/sbin/modprobe",
        found=modprobe.describe(),
        expected="modprobe, executable, as there are kernel modules",
        at_boot="CreateSandbox fails as soon as the runtime asks for a module",
        mend="install kmod (busybox's modprobe will do too)",
    )


@check(
    "MOD-01", severity=WARN, features=["modules"], source="modules.builtin of kernel Documentation/kbuild/kbuild.rst"
)
def test_builtin_modules_are_listed(rootfs: RootfsTree, module_version: str) -> None:
    """Guards against a directory without modules.builtin: modprobe then fails for what the kernel has built in.

    That was kata-containers/runtime#3133. `make modules_install` writes the file; copy the whole directory.
    """
    tree = rootfs.modules(module_version)
    path = f"{tree.directory}/modules.builtin"
    require(
        not tree.files or rootfs.exists(path),
        path,
        found=rootfs.file(path).describe(),
        expected="the list of modules that are built into the kernel",
        at_boot="loading a module that is built in fails: Module not found in directory /lib/modules/…",
        mend="copy the directory as `make modules_install` left it",
    )


@check("MOD-04", severity=WARN, features=["modules"], source="modules-load.d(5); kata-containers#3116")
def test_modules_loaded_at_boot_are_there(rootfs: RootfsTree, module_version: str) -> None:
    """Guards against names in modules-load.d that no kernel of the rootfs has, as a file or built in.

    Kata's dracut build writes such a list (kata-modules.conf). Copy the module, or take it off the list.
    """
    tree = rootfs.modules(module_version)
    report(
        Finding(
            path,
            found=f"{name}, which is not among the modules of {module_version}",
            expected="names of modules that are there, or built in",
            at_boot="systemd-modules-load fails, and what needs the module does too",
            mend=f"copy the module {name}, or take it off the list",
        )
        for path, name in _loaded_at_boot(rootfs)
        if tree.find(name) is None and name not in tree.aliases
    )


def _loaded_at_boot(rootfs: RootfsTree) -> Iterator[tuple[str, str]]:
    """Each module that a list names, and the list; of two lists of one name the administrator's counts."""
    lists = {name: f"{where}/{name}" for where in reversed(LOAD_DIRECTORIES) for name in rootfs.listdir(where)}
    paths = [path for name, path in sorted(lists.items()) if name.endswith(".conf")]
    for path in [*paths, LOAD_FILE]:
        for line in rootfs.file(path).read_text().splitlines() if rootfs.file(path).is_file else ():
            words = line.split()
            if words and not words[0].startswith(("#", ";")):
                yield path, words[0]
