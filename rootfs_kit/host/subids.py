"""The ranges of subordinate ids that an administrator gave to a user (subuid(5), subgid(5))."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ENOUGH = 65536
"""How many ids a distribution's files may be given to: `nobody` is 65534 nearly everywhere."""
FIRST = 100000
"""Where useradd(8) begins to give ranges away (SUB_UID_MIN of login.defs(5))."""


@dataclass(frozen=True)
class SubidFile:
    """One of the two files, and the option of usermod(8) that adds to it."""

    path: Path
    option: str


SUBUID = SubidFile(Path("/etc/subuid"), "--add-subuids")
SUBGID = SubidFile(Path("/etc/subgid"), "--add-subgids")


@dataclass(frozen=True)
class IdRange:
    """Ids of this host, from `start` on."""

    start: int
    count: int

    def __contains__(self, number: int) -> bool:
        return self.start <= number < self.start + self.count

    @property
    def is_enough(self) -> bool:
        return self.count >= ENOUGH


def largest_range(file: SubidFile, user: str, number: int) -> IdRange | None:
    """The largest range that the file gives to a user, by name or number; None where there is none."""
    ranges = [ids for owner, ids in _rows(file) if owner in (user, str(number))]
    return max(ranges, key=lambda each: each.count, default=None)


def command_to_add(file: SubidFile, user: str) -> str:
    """The command that gives `user` a range that nobody has."""
    start = max([FIRST, *(ids.start + ids.count for _, ids in _rows(file))])
    return f"sudo usermod {file.option} {start}-{start + ENOUGH - 1} {user}"


def _rows(file: SubidFile) -> Iterator[tuple[str, IdRange]]:
    try:
        lines = file.path.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        owner, *numbers = line.split(":")
        if len(numbers) == 2 and all(number.isdigit() for number in numbers):
            yield owner, IdRange(int(numbers[0]), int(numbers[1]))
