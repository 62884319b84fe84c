"""Small real kernel modules, and module directories that the real depmod has indexed."""

from __future__ import annotations

import gzip
import lzma
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import zstandard

from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.modules import ModuleTree

VERSION = "6.1.0-made"

# depmod finds what a module exports in __ksymtab_strings, and what it needs among the undefined symbols.
SOURCE = """
__attribute__((section(".modinfo"), used)) static const char facts[] =
    "license=GPL\\0name={name}\\0vermagic={version} SMP mod_unload \\0alias=made-{name}-*";
__attribute__((section("__ksymtab_strings"), used)) static const char exported[] = "{name}_symbol";
{declarations}
int {name}_symbol(void) {{ return 0{calls}; }}
"""
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lambda content: lzma.compress(content, check=lzma.CHECK_CRC32),
    ".zst": lambda content: zstandard.ZstdCompressor().compress(content),
}


def compile_module(place: Path, version: str = VERSION, needs: tuple[str, ...] = ()) -> Path:
    """A module file at `place` (….ko) that needs the modules called `needs`."""
    name = place.name.removesuffix(".ko").replace("-", "_")
    declarations = "".join(f"int {need}_symbol(void);\n" for need in needs)
    calls = "".join(f" + {need}_symbol()" for need in needs)
    place.parent.mkdir(parents=True, exist_ok=True)
    text = SOURCE.format(name=name, version=version, declarations=declarations, calls=calls)
    command = ["cc", "-w", "-Os", "-x", "c", "-c", "-", "-o", place]
    subprocess.run(command, input=text, text=True, check=True)
    return place


class Modules:
    """A root with the modules of one kernel: base <- middle <- top, and one that needs nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / "usr/lib/modules" / VERSION
        root.mkdir()
        (root / "lib").symlink_to("usr/lib")
        compile_module(self.directory / "kernel/lib/made-base.ko")
        compile_module(self.directory / "kernel/lib/made_middle.ko", needs=("made_base",))
        compile_module(self.directory / "kernel/net/made_top.ko", needs=("made_middle",))
        compile_module(self.directory / "kernel/fs/made-alone.ko")
        self.write("modules.builtin", "kernel/fs/made-builtin.ko\n")
        self.write("modules.builtin.modinfo", "made_builtin.license=GPL\0")
        self.write("modules.order", "kernel/lib/made-base.ko\nkernel/lib/made_middle.ko\n")

    def index(self) -> Modules:
        # depmod of kmod 30 and later tells of every missing file of the kernel's own, which is beside the point here
        subprocess.run(["depmod", "-b", self.root, VERSION], check=True, capture_output=True)
        return self

    def compress(self, suffix: str) -> Modules:
        for place in self.directory.rglob("*.ko"):
            place.with_name(place.name + suffix).write_bytes(COMPRESSIONS[suffix](place.read_bytes()))
            place.unlink()
        return self

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def read(self) -> ModuleTree:
        return open_rootfs(self.root).modules(VERSION)

    def modprobe(self, name: str) -> list[str] | None:
        """The files that the real modprobe would load for `name`, in order; None where it finds no such module."""
        command = ["modprobe", "-d", self.root, "-S", VERSION, "--show-depends", name]
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            return None
        lines = (line.split() for line in done.stdout.splitlines())
        return [
            os.path.relpath(words[1], self.root / "lib/modules" / VERSION) for words in lines if words[0] == "insmod"
        ]
