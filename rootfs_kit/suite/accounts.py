"""The users and groups that a rootfs knows: those of /etc, and those that nss-altfiles keeps in /usr/lib."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from rootfs_kit.tree import RootfsTree

USERS = ("/etc/passwd", "/usr/lib/passwd")
GROUPS = ("/etc/group", "/usr/lib/group")
NUMBER = re.compile(r"[0-9]{1,10}")


def users_of(tree: RootfsTree) -> Mapping[str, int]:
    """Every user's number by name (passwd(5)); empty where there is no such file. Raises CouldNotLook."""
    return _numbers(tree, USERS)


def groups_of(tree: RootfsTree) -> Mapping[str, int]:
    """Every group's number by name (group(5)); empty where there is no such file. Raises CouldNotLook."""
    return _numbers(tree, GROUPS)


@lru_cache(maxsize=8)
def _numbers(tree: RootfsTree, databases: tuple[str, ...]) -> Mapping[str, int]:
    lines = (line for path in databases if tree.file(path).is_file for line in tree.file(path).read_text().splitlines())
    fields = (line.split(":") for line in lines)
    return {line[0]: int(line[2]) for line in fields if len(line) > 2 and NUMBER.fullmatch(line[2])}
