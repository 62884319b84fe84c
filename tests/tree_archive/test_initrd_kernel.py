"""Strange initrds: the kernel itself is the referee. One boot in QEMU unpacks all of them, and tells what it made."""

from __future__ import annotations

import os
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from rootfs_kit.tree import RootfsTree, open_rootfs
from tests.support.boot import BOOT_SECONDS, QEMU, cloud_kernel
from tests.support.programs import compile_c
from tests.support.requirements import needs_program
from tests.tree_archive.initrd_cases import CASES, whole
from tests.tree_archive.workshop import TRAILER, compressed, newc

WALKER = r"""
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void show(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        printf("%02x", (unsigned char)text[i]);
    putchar(' ');
}

static void tell(const char *path)
{
    static char text[8192];
    struct stat found;
    ssize_t size = 0;
    if (lstat(path, &found))
        return;
    if (S_ISLNK(found.st_mode))
        size = readlink(path, text, sizeof text);
    else if (S_ISREG(found.st_mode)) {
        int file = open(path, O_RDONLY);
        size = read(file, text, sizeof text);
        close(file);
    }
    printf("@@ ");
    show(path, strlen(path));
    printf("%o %u %u %ld %ld %u:%u %lu ", found.st_mode, found.st_uid, found.st_gid,
           S_ISDIR(found.st_mode) ? 0L : (long)found.st_size, (long)found.st_mtime, major(found.st_rdev),
           minor(found.st_rdev), S_ISREG(found.st_mode) ? (unsigned long)found.st_nlink : 1UL);
    show(text, size < 0 ? 0 : size > 64 ? 64 : size);
    printf("@\n");
    if (!S_ISDIR(found.st_mode))
        return;
    DIR *directory = opendir(path);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char below[8192];
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        tell(below);
    }
    closedir(directory);
}

int main(void)
{
    char path[16];
    putchar('\n');
    for (int number = 0; number < 1000; number++) {
        snprintf(path, sizeof path, "/case%03d", number);
        tell(path);
    }
    printf("@@ end @\n");
    fflush(stdout);
    sleep(1);
    reboot(RB_POWER_OFF);
    return 0;
}
"""

Facts = tuple[int, int, int, int, int, tuple[int, int], int, bytes]


def directory(number: int) -> bytes:
    return b"case%03d" % number


@pytest.fixture(scope="module")
def initrd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cases: every other one in a compressed archive of its own, with zeros between the archives."""
    place = tmp_path_factory.mktemp("initrd")
    init = compile_c(WALKER, "initrd-walker", "-static", "-Os", "-s").read_bytes()
    archive = b"".join(
        [newc(b"dev", 0o40755), newc(b"dev/console", 0o20600, device=(5, 1)), newc(b"init", 0o100755, init), TRAILER]
    )
    for number, case in enumerate(CASES.values()):
        part = place / "part"
        part.write_bytes(whole(case, directory(number)))
        command = [None, ("gzip", "-c"), None, ("xz", "-c", "--check=crc32"), None, ("zstd", "-qc")][number % 6]
        archive += (compressed(part, *command) if command else part).read_bytes()
        archive += bytes(-len(archive) % 4 + 4 * (number % 3))
    (place / "initrd").write_bytes(archive)
    return place / "initrd"


@pytest.fixture(scope="module")
def made_by_the_kernel(initrd: Path) -> dict[bytes, Facts]:
    kernel = next(cloud_kernel().glob("boot/vmlinuz-*"))
    console = initrd.with_name("console")
    command = [
        QEMU, "-accel", "tcg", "-m", "512", "-nographic", "-no-reboot", "-nic", "none", "-kernel", str(kernel),
        "-initrd", str(initrd), "-append", "console=ttyS0 panic=-1 quiet rdinit=/init",
    ]  # fmt: skip
    with console.open("wb") as output, suppress(subprocess.TimeoutExpired):
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=BOOT_SECONDS, check=False
        )
    said = console.read_bytes()
    assert b"@@ end @" in said, said[-2000:]
    lines = [line.split() for line in said.splitlines() if line.startswith(b"@@ ") and not line.startswith(b"@@ end")]
    return {bytes.fromhex(line[1].decode()): _facts(line[2:]) for line in lines}


def _facts(words: list[bytes]) -> Facts:
    mode, uid, gid, size, mtime, device, links, *text = (word.decode() for word in words)
    major, minor = device.split(":")
    content = bytes.fromhex(text[0]) if text[0] != "@" else b""
    return int(mode, 8), int(uid), int(gid), int(size), int(mtime), (int(major), int(minor)), int(links), content


def facts_of(tree: RootfsTree, path: str) -> dict[bytes, Facts]:
    found: dict[bytes, Facts] = {}
    for entry in tree.walk(path):
        content = os.fsencode(entry.target or "")[:64]
        if entry.is_file:
            content = tree.read_bytes(entry.path)[:64]
        kind = next(kind for kind in KINDS if KINDS[kind] == entry.kind)
        size = 0 if entry.is_directory else entry.size
        device, links = entry.device or (0, 0), entry.links if entry.is_file else 1
        mode = kind | entry.mode
        found[os.fsencode(entry.path)] = (mode, entry.uid, entry.gid, size, int(entry.mtime), device, links, content)
    return found


KINDS = {
    stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket", stat.S_IFCHR: "character device", stat.S_IFBLK: "block device",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.network
@needs_program(QEMU, "cc", "gzip", "xz", "zstd")
@pytest.mark.parametrize(("number", "name"), [*enumerate(CASES)], ids=[*CASES])
def test_entries_become_what_the_kernel_makes_of_them(
    initrd: Path, made_by_the_kernel: dict[bytes, Facts], number: int, name: str
) -> None:
    path = b"/" + directory(number)
    wanted = {each: facts for each, facts in made_by_the_kernel.items() if (each + b"/").startswith(path + b"/")}
    assert wanted, name
    assert facts_of(open_rootfs(initrd), path.decode()) == wanted
