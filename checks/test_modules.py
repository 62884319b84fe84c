"""Modules: whether the kernel modules that are there could ever be loaded."""

from __future__ import annotations

from rootfs_kit.suite.check import ERROR, FULL, Finding, check, report, require
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.modules import ProblemKind

FILES_AND_INDEX = frozenset(kind for kind in ProblemKind if kind not in (ProblemKind.VERMAGIC, ProblemKind.MACHINE))
OF_ANOTHER_KERNEL = frozenset({ProblemKind.VERMAGIC, ProblemKind.MACHINE})


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
