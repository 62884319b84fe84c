"""Breaks a good tree in one way after another, and judges what is left.

Each mutation works on an overlayfs of its own (kernel Documentation/filesystems/overlayfs.rst), so that the good tree
stays good and nothing is copied. It is done in processes with mounts of their own, `python -m tests.mutations.bench
NAME ROOT PART PARTS`: whatever ends them, the mounts go too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rootfs_kit.host.namespaces import enter_private_mounts, tmpfs
from tests.mutations.good_trees import GOOD_TREES, GoodTree
from tests.support.verdicts import caught, judged

ROOM = 2 << 30


@dataclass(frozen=True)
class Outcome:
    """What was found in one good tree while it was whole, by features, and after each of its mutations, in order."""

    false_alarms: list[str]
    found: list[list[str]]


def measure(tree: GoodTree) -> Outcome:
    """Make the good tree, and run the bench on it, in as many processes as there are processors."""
    root = tree.make()
    parts = min(4, os.cpu_count() or 1)
    benches = [_start(tree, root, part, parts) for part in range(parts)]
    answers = [json.loads(bench.communicate()[0] or "null") for bench in benches]
    assert all(bench.returncode == 0 for bench in benches), f"a bench of {tree.name} failed: its errors are above"
    alarms = sorted({alarm for answer in answers for alarm in answer["false_alarms"]})
    found = {int(number): names for answer in answers for number, names in answer["found"].items()}
    return Outcome(alarms, [found[number] for number in range(len(tree.mutations))])


def _start(tree: GoodTree, root: Path, part: int, parts: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.mutations.bench", tree.name, str(root), str(part), str(parts)],
        cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def main(name: str, root: Path, part: int, parts: int) -> None:
    """Judge every `parts`-th mutation, from `part` on, and print what was found as JSON."""
    tree = next(tree for tree in GOOD_TREES if tree.name == name)
    enter_private_mounts()
    with tempfile.TemporaryDirectory(prefix="rootfs-kit-bench-") as directory, tmpfs(Path(directory), ROOM):
        place = Path(directory)
        asked = dict.fromkeys(mutation.features for mutation in tree.mutations)
        whole = {features: _judge(tree, root, place, features) for features in asked}
        found = {number: _broken(tree, root, place, number) for number in range(part, len(tree.mutations), parts)}
    alarms = sorted({alarm for alarms in whole.values() for alarm in alarms})
    json.dump({"false_alarms": alarms, "found": found}, sys.stdout)


def _broken(tree: GoodTree, root: Path, place: Path, number: int) -> list[str]:
    mutation = tree.mutations[number]
    with _layer_above(root, place / str(number)) as changed:
        try:
            mutation.defect(changed)
        except Exception as error:
            raise RuntimeError(f'the mutation "{mutation.story}" of {tree.name} could not be made') from error
        return _judge(tree, changed, place, mutation.features)


def _judge(tree: GoodTree, root: Path, place: Path, features: tuple[str, ...]) -> list[str]:
    rootfs = _packed(root, place / "initrd.cpio") if tree.packed else root
    return sorted(caught(judged(rootfs, tree.profile, (*tree.features, *features))))


def _packed(root: Path, archive: Path) -> Path:
    """The tree in the form that the kernel unpacks: cpio's newc."""
    names = subprocess.run(["find", ".", "-print0"], cwd=root, stdout=subprocess.PIPE, check=True).stdout
    with archive.open("wb") as output:
        pack = ["cpio", "--null", "--create", "--format=newc", "--quiet"]
        subprocess.run(pack, cwd=root, input=names, stdout=output, check=True)
    return archive


@contextmanager
def _layer_above(root: Path, place: Path) -> Iterator[Path]:
    upper, work, merged = (place / name for name in ("upper", "work", "merged"))
    for directory in (upper, work, merged):
        directory.mkdir(parents=True)
    # The upper directory's own mode and owner are those of the merged root.
    shutil.copystat(root, upper)
    options = f"lowerdir={root},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(merged)], check=True)
    try:
        yield merged
    finally:
        subprocess.run(["umount", "--lazy", str(merged)], check=True)
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    os.umask(0o022)
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
