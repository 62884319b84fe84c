"""Kernel modules: the directory that was given, copied to /lib/modules/<version>, with an index that is right.

rootfs.sh copies the directory as it is: an index that the kernel's package does not bring (depmod makes it when the
package is installed), links into the build host's source tree, and no look at whether anything could load a module.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rootfs_kit.backends import Command, Tool
from rootfs_kit.errors import BuildFailed, HostLacks, UsageError
from rootfs_kit.guest.places import holds_a_system
from rootfs_kit.monitor import Monitor
from rootfs_kit.request import BuildRequest
from rootfs_kit.tree import RootfsEditor, open_rootfs
from rootfs_kit.tree.elf import CorruptElf, NotElf
from rootfs_kit.tree.module_file import CorruptModule, ModuleIdentity, module_name, read_identity

# Runs a program of this host to its end. Raises HostLacks, BuildFailed.
RunOnHost = Callable[[Command], None]

# What depmod or the kernel's own `make modules_install` leaves in the directory of one kernel.
MARKS = ("modules.dep", "modules.order", "modules.builtin")
KERNEL_LINKS = ("build", "source")
MODPROBE = "/sbin/modprobe"
DEPMOD = Tool("depmod", {"debian": "kmod", "ubuntu": "kmod", "fedora": "kmod", "alpine": "kmod", "suse": "kmod"})
LIKE = "Name the directory of one kernel, such as /lib/modules/6.12.0 (KERNEL_MODULES_DIR)."


@dataclass(frozen=True)
class KernelModules:
    """The modules of one kernel, in a directory of this host."""

    version: str
    source: Path


def resolve_modules(request: BuildRequest) -> KernelModules | None:
    """The modules that `request` names, judged before anything is built. Raises UsageError."""
    source = request.kernel_modules
    if source is None:
        return None
    _require_module_directory(source)
    modules = KernelModules(source.name, source)
    identity = next(_identities(source), None)
    if identity is not None:
        _require_fit(modules, identity, request)
    return modules


def _require_module_directory(source: Path) -> None:
    doing = f"reading the kernel modules in {source}"
    try:
        if _is_module_directory(source):
            return
        inside = sorted(
            # A kernel's version begins with a digit.
            entry.name
            for entry in source.iterdir()
            if entry.name[0].isdigit() and entry.is_dir() and _is_module_directory(entry)
        )
    except OSError as error:
        raise UsageError(doing, error.strerror or str(error), LIKE) from error
    if not inside:
        raise UsageError(doing, f"none of {', '.join(MARKS)} is in there, nor a module below kernel/", LIKE)
    raise UsageError(
        doing,
        f"it is the directory above those of the kernels {', '.join(inside)}",
        f"Name the one that the guest's kernel needs: {source / inside[0]}",
    )


def _is_module_directory(path: Path) -> bool:
    """By depmod's files, or by modules below kernel/: /etc and /lib have a directory of that name as well."""
    walk = os.walk(path / "kernel")
    return any((path / mark).is_file() for mark in MARKS) or any(
        module_name(name) for *_, files in walk for name in files
    )


def _identities(source: Path) -> Iterator[ModuleIdentity]:
    """What the first module that says so is built for."""
    for directory, names, files in os.walk(source):
        names.sort()
        for path in (Path(directory, name) for name in sorted(files) if module_name(name)):
            try:
                with path.open("rb") as stream:
                    yield read_identity(stream, str(path))
            except (NotElf, CorruptElf, CorruptModule, OSError) as error:
                found = error.strerror if isinstance(error, OSError) else error.found
                raise UsageError(f"reading the kernel module {path}", str(found), "Copy it there again.") from error


def _require_fit(modules: KernelModules, identity: ModuleIdentity, request: BuildRequest) -> None:
    doing = f"reading the kernel modules in {modules.source}"
    if identity.kernel is not None and identity.kernel != modules.version:
        raise UsageError(
            doing,
            f"they are built for the kernel {identity.kernel}, which looks for them in a directory of that name",
            f"Rename the directory to {identity.kernel}.",
        )
    if request.arch is not None and identity.machine != request.arch:
        raise UsageError(
            doing,
            f"they are built for {identity.machine}, and the guest is to be {request.arch}",
            f"Name the modules of a kernel for {request.arch}.",
        )


def install_modules(editor: RootfsEditor, modules: KernelModules, run_on_host: RunOnHost) -> None:
    """Copy the modules into the rootfs, owned by root, and index them there.

    Raises UsageError, BuildFailed, and HostLacks where there is no depmod and the index that was given is not right.
    """
    directory = f"{module_home(editor)}/{modules.version}"
    editor.copy_tree_in(modules.source, directory)
    for name in KERNEL_LINKS:
        _drop_dangling(editor, f"{directory}/{name}")
    for entry in editor.walk(directory):
        if (entry.uid, entry.gid) != (0, 0):
            editor.chown(entry.path, 0, 0)
    if shutil.which(DEPMOD.program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
        index(editor, directory, modules.version, run_on_host)
    else:
        _require_index(editor, modules.version)


def module_home(editor: RootfsEditor) -> str:
    """Where the modules go. A new overlay gets no /lib, which is a link in the bases that it is laid over."""
    return "/lib/modules" if editor.exists("/lib") else "/usr/lib/modules"


def _drop_dangling(editor: RootfsEditor, path: str) -> None:
    entry = editor.lstat(path)
    if entry is not None and entry.is_symlink and not editor.exists(path):
        editor.remove(path)


def index(editor: RootfsEditor, directory: str, version: str, run_on_host: RunOnHost) -> None:
    """Let depmod index the modules in `directory`, a guest path.

    depmod follows links as the host does: with `-b ROOTFS` and an absolute link /lib in there it would write into
    the host's own /lib/modules. So it gets a base of its own, from which one link leads to the very directory. Its
    settings are not to be the host's either (depmod(8), -C).
    """
    place = editor.resolve(directory).final
    if place is None:
        raise BuildFailed(f"indexing {directory}", "the directory is gone", "Build again.")
    with tempfile.TemporaryDirectory(prefix="rootfs-kit-depmod-") as base:
        Path(base, "settings").mkdir()
        for parent in ("lib/modules", "usr/lib/modules"):
            Path(base, parent).mkdir(parents=True)
            Path(base, parent, version).symlink_to(editor.root.absolute() / place.lstrip("/"))
        run_on_host(Command(("depmod", "-b", base, "-C", f"{base}/settings", version)))


def _require_index(editor: RootfsEditor, version: str) -> None:
    problems = open_rootfs(editor.root).modules(version).index_problems
    if not problems:
        return
    from rootfs_kit.host import install_command

    raise HostLacks(
        f"indexing the modules of {version}",
        f"depmod is not installed, and the index that they came with is wrong: {problems[0].path}: {problems[0]}",
        install_command([DEPMOD]),
    )


def require_modprobe(editor: RootfsEditor, monitor: Monitor) -> None:
    """The agent starts /sbin/modprobe for each module that the runtime asks for (src/agent/src/rpc.rs:124, 2582).

    Raises BuildFailed where it is missing from a whole rootfs; an overlay leaves it to its base.
    """
    if editor.is_executable(MODPROBE):
        return
    if not holds_a_system(editor):
        monitor.note(f"the modules can be loaded only where the base brings {MODPROBE}")
        return
    raise BuildFailed(
        "installing kernel modules",
        f"nothing in the rootfs could ever load them: there is no {MODPROBE}",
        "Install kmod in it (--extra-pkgs kmod), or leave out --kernel-modules (KERNEL_MODULES_DIR).",
    )
