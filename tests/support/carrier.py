"""A static program that carries a dynamic one: its loader, its libraries and itself, unpacked and started each time.

It stands for the statically linked apk.static, which no archive that the tests can reach has: what runs is the real
apk of a minirootfs, from one file without an interpreter.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

SOURCE = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

%(carried)s

static const struct { const char *name; const char *start; const char *end; } files[] = { %(table)s };
static const int count = sizeof files / sizeof files[0];

static void unpack(const char *directory, int number) {
    char path[4096];
    snprintf(path, sizeof path, "%%s/%%s", directory, files[number].name);
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0700);
    size_t left = files[number].end - files[number].start;
    for (const char *at = files[number].start; left > 0;) {
        ssize_t written = write(file, at, left);
        if (written <= 0) exit(126);
        at += written;
        left -= written;
    }
    close(file);
}

int main(int argc, char **argv) {
    char directory[] = "/tmp/rootfs-kit-carrier-XXXXXX", loader[4096], program[4096];
    if (!mkdtemp(directory)) return 126;
    for (int number = 0; number < count; number++) unpack(directory, number);
    snprintf(loader, sizeof loader, "%%s/%%s", directory, files[0].name);
    snprintf(program, sizeof program, "%%s/%%s", directory, files[1].name);
    char **arguments = calloc(argc + 4, sizeof *arguments);
    arguments[0] = loader;
    arguments[1] = "--library-path";
    arguments[2] = directory;
    arguments[3] = program;
    memcpy(arguments + 4, argv + 1, argc * sizeof *argv);
    pid_t child = fork();
    if (child == 0) {
        execv(loader, arguments);
        _exit(127);
    }
    int status = 126 << 8;
    waitpid(child, &status, 0);
    for (int number = 0; number < count; number++) {
        snprintf(program, sizeof program, "%%s/%%s", directory, files[number].name);
        unlink(program);
    }
    rmdir(directory);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
"""


def carrier(output: Path, loader: Path, program: Path, libraries: Sequence[Path]) -> Path:
    """Make the static program `output`, which starts `program` by `loader` with `libraries`."""
    carried, table = [], []
    for number, path in enumerate((loader, program, *libraries)):
        carried.append(
            f'__asm__(".section .rodata\\n.global file{number}, end{number}\\n'
            f'file{number}: .incbin \\"{path.resolve()}\\"\\nend{number}: .byte 0\\n.previous\\n");\n'
            f"extern const char file{number}[], end{number}[];"
        )
        table.append(f'{{ "{path.name}", file{number}, end{number} }}')
    written = output.with_suffix(".c")
    written.write_text(SOURCE % {"carried": "\n".join(carried), "table": ", ".join(table)})
    subprocess.run(
        ["cc", "-w", "-static", "-Os", "-s", "-o", str(output), str(written)], check=True, stdin=subprocess.DEVNULL
    )
    return output
