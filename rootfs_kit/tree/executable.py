"""Whether the kernel would start a file that is executable by its mode: an ELF program, or a script with "#!"."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rootfs_kit.tree.elf import NotElf
from rootfs_kit.tree.elf_closure import closure_problems
from rootfs_kit.tree.paths import shown

if TYPE_CHECKING:
    from rootfs_kit.tree.tree import RootfsTree

MOST_READ = 256
"""BINPRM_BUF_SIZE (include/uapi/linux/binfmts.h): what the kernel looks at."""
MOST_SCRIPTS = 5
"""A script for a script for …: then the kernel gives up (fs/exec.c, exec_binprm)."""


def start_problems(tree: RootfsTree, path: str) -> list[str]:
    """Why execve(2) of the program at `path`, or its loader, would fail; nothing for one that starts.

    Raises CouldNotLook.
    """
    way = ""
    for _ in range(MOST_SCRIPTS):
        try:
            return [f"{way}{problem}" for problem in closure_problems(tree, path)]
        except NotElf:
            interpreter = _interpreter_of(tree, path)
        if interpreter is None:
            return [f'{way}is no program: neither an ELF file nor a script that begins with "#!"']
        way, program = f"is a script for {shown(interpreter)}, which ", tree.file(interpreter)
        if not program.is_executable:
            return [f"{way}is {program.describe()}"]
        path = interpreter
    return ["is a script for a script for a script, and so on"]


def _interpreter_of(tree: RootfsTree, path: str) -> str | None:
    """What stands behind "#!" (fs/binfmt_script.c); None where nothing does. Names count from the root directory."""
    head = tree.read_bytes(path, limit=MOST_READ)
    words = head[2:].split(b"\n", 1)[0].split() if head.startswith(b"#!") else []
    return "/" + os.fsdecode(words[0]).lstrip("/") if words else None
