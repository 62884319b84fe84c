"""Where a build happens before its result is published: one hidden directory beside the target.

    .NAME.rootfs-kit/
        lock     held for as long as the build runs (filelock)
        holder   who holds it: process id and command, for those who wait
        work/    where the tree is made: a tmpfs that only this build sees, or plain disk
        tree/    the finished tree, on the target's own file system, until one rename publishes it
        archive  the same as a file, where an archive was asked for
        aside/   the tree that was there before, where it takes two renames to publish the new one
        old/     the tree that was there before, until it is removed

A build that was killed leaves the directory; its lock is free, and the next build of the same target clears it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from rootfs_kit.errors import BuildFailed, UsageError
from rootfs_kit.host.namespaces import tmpfs
from rootfs_kit.interrupts import let_through
from rootfs_kit.monitor import Monitor

KNOWN = frozenset({"lock", "holder", "work", "tree", "archive", "aside", "old", "kept"})
TEMPORARY = "rootfs-kit-output-"
LEAST_MEMORY = 1536 * 1024 * 1024
"""Bytes of free memory below which a build works on disk."""


@dataclass(frozen=True)
class Staging:
    """The directories of one build; `work` is empty when the build begins."""

    target: Path
    directory: Path
    work: Path

    @property
    def tree(self) -> Path:
        return self.directory / "tree"

    @property
    def aside(self) -> Path:
        return self.directory / "aside"

    @property
    def archive(self) -> Path:
        return self.directory / "archive"

    @property
    def old(self) -> Path:
        return self.directory / "old"

    @property
    def kept(self) -> Path:
        """Where --keep-failed leaves the tree."""
        return self.target.parent / f".{self.target.name}.rootfs-kit-failed"


@contextmanager
def staging(target: Path, wait: bool, private_mounts: bool, monitor: Monitor) -> Iterator[Staging]:
    """The staging directory of `target`, locked, and removed at the end.

    With `private_mounts` (see `namespaces`) the work is done in memory where there is enough. Raises UsageError,
    and BuildFailed when another build holds the target and `wait` is false.
    """
    directory = target.parent / f".{target.name}.rootfs-kit"
    with ExitStack() as stack:
        _make_parents(stack, target.parent)
        _take_lock(stack, directory, wait, monitor)
        _clear(directory, target)
        stack.callback(_remove, directory, target)
        work = directory / "work"
        work.mkdir()
        size = _memory_to_use()
        if private_mounts and size:
            stack.enter_context(tmpfs(work, size))
        yield Staging(target, directory, work)


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A new directory for what has no target to be staged beside. What killed builds of this user left goes first."""
    parent = Path(tempfile.gettempdir())
    for left in parent.glob(f"{TEMPORARY}*"):
        _clear_if_abandoned(left)
    directory = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=parent))
    lock = FileLock(directory / "lock")
    lock.acquire()
    try:
        yield directory
    finally:
        remove_tree(directory)
        lock.release()


def _clear_if_abandoned(directory: Path) -> None:
    """Ours, and nobody holds its lock; what has no lock yet is about to get one."""
    try:
        if directory.lstat().st_uid != os.geteuid() or not (directory / "lock").exists():
            return
        with FileLock(directory / "lock", timeout=0):
            remove_tree(directory)
    except (OSError, Timeout):
        return


def _make_parents(stack: ExitStack, parent: Path) -> None:
    missing = [path for path in (parent, *parent.parents) if not path.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"making the directory {parent}", reason, "Choose a directory that you may write.") from error
    stack.callback(_remove_if_empty, missing)


def _remove_if_empty(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.rmdir()
        except OSError:
            return


def _take_lock(stack: ExitStack, directory: Path, wait: bool, monitor: Monitor) -> None:
    try:
        while not _locked(stack, directory, wait, monitor):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"making {directory}", reason, "Choose a directory that you may write: -r DIR.") from error
    (directory / "holder").write_text(f"process {os.getpid()} ({' '.join(sys.argv)[:200]})\n")


def _require_ours(directory: Path) -> None:
    strangers = sorted(set(os.listdir(directory)) - KNOWN)
    if strangers:
        raise UsageError(
            f"preparing {directory}",
            f"it holds {strangers[0]}, which no build of rootfs-kit leaves there",
            "Move that directory away.",
        )


def _locked(stack: ExitStack, directory: Path, wait: bool, monitor: Monitor) -> bool:
    """Whether the lock is ours; False when the build that held it removed the directory meanwhile."""
    lock = FileLock(directory / "lock")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _require_ours(directory)
        _acquire(lock, directory, wait, monitor)
    except FileNotFoundError:
        return False
    if (directory / "lock").exists():
        stack.callback(lock.release)
        return True
    lock.release()
    return False


def _acquire(lock: FileLock, directory: Path, wait: bool, monitor: Monitor) -> None:
    try:
        lock.acquire(timeout=0)
        return
    except Timeout:
        holder = _holder(directory)
    if not wait:
        raise BuildFailed(
            f"locking {directory.parent}",
            f"another build is at work there: {holder}",
            "Wait for it, or build without --no-wait.",
        )
    monitor.note(f"waiting for another build of this target: {holder}")
    with let_through():
        lock.acquire()


def _holder(directory: Path) -> str:
    try:
        return (directory / "holder").read_text().strip()
    except OSError:
        return "a process that has not said its name"


def _clear(directory: Path, target: Path) -> None:
    """Remove what a build left behind; but put back what one that was killed between two renames has set aside."""
    aside = directory / "aside"
    if aside.exists() and not target.exists():
        aside.rename(target)
    for name in ("work", "tree", "aside", "old"):
        remove_tree(directory / name)
    (directory / "archive").unlink(missing_ok=True)


def _remove(directory: Path, target: Path) -> None:
    """The lock goes last, while it is still held: who waits for it notices that its file is gone, and starts anew."""
    _clear(directory, target)
    (directory / "holder").unlink(missing_ok=True)
    (directory / "lock").unlink(missing_ok=True)
    directory.rmdir()


def remove_tree(path: Path) -> None:
    """Remove a directory with all below it, without following a link; nothing there is fine."""
    if path.exists() and not path.is_symlink():
        shutil.rmtree(path)


def _memory_to_use() -> int:
    """How many bytes a tmpfs may take: half of what is available (proc_meminfo(5)), or 0 when that is too little."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            half = int(rest.split()[0]) * 1024 // 2
            return half if half >= LEAST_MEMORY else 0
    return 0
