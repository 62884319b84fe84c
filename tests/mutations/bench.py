"""Breaks a good tree in one way after another, and judges what is left: `python -m tests.mutations.bench NAME ROOT`.

Each mutation works on an overlayfs of its own (kernel Documentation/filesystems/overlayfs.rst), so that the good tree
stays good and nothing is copied. This is a process of its own, with mounts of its own: whatever ends it, they go too.
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

from rootfs_kit.namespaces import enter_private_mounts, tmpfs
from tests.mutations.good_trees import GOOD_TREES, GoodTree
from tests.support.verdicts import caught, judged

ROOM = 2 << 30


@dataclass(frozen=True)
class Outcome:
    """What was found in one good tree while it was whole, by features, and after each of its mutations, in order."""

    false_alarms: list[str]
    found: list[list[str]]


def measure(tree: GoodTree, root: Path) -> Outcome:
    """Run the bench in a process of its own on the good tree that was made at `root`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutations.bench", tree.name, str(root)],
        cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return Outcome(**json.loads(done.stdout))


def main(name: str, root: Path) -> None:
    tree = next(tree for tree in GOOD_TREES if tree.name == name)
    enter_private_mounts()
    with tempfile.TemporaryDirectory(prefix="rootfs-kit-bench-") as directory, tmpfs(Path(directory), ROOM):
        place = Path(directory)
        asked = dict.fromkeys(mutation.features for mutation in tree.mutations)
        whole = {features: _judge(tree, root, place, features) for features in asked}
        found = [_broken(tree, root, place, number) for number in range(len(tree.mutations))]
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
    return sorted(caught(judged(root, tree.profile, (*tree.features, *features))))


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
    main(sys.argv[1], Path(sys.argv[2]))
