"""Small guests with real programs and libraries, compiled by the host's compiler for the host's own loader."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_kit.tree.elf import ElfFile
from tests.support.requirements import needs_mount_namespace

# Asking the real loader takes a chroot with /proc in it.
CAN_RUN_GUESTS = not needs_mount_namespace().args[0]
EDITED_BY_HAND = pytest.mark.skipif(
    sys.byteorder != "little" or sys.maxsize < 1 << 32, reason="needs a 64-bit little-endian host: edits its ELF files"
)
PROGRAM = "int answer(void); int main(void) { return answer() - 42; }\n"
ALONE = "int main(void) { return 0; }\n"
LIBRARY = "int answer(void) { return 42; }\n"
LIBRARY_THAT_USES_LIBC = "int getpid(void); int answer(void) { return getpid() ? 42 : 0; }\n"
FORWARDING = "int deeper(void); int answer(void) { return deeper(); }\n"
DEEPER = "int deeper(void) { return 42; }\n"


def compile_c(source: str, output: Path, *flags: str) -> Path:
    output.parent.mkdir(parents=True, exist_ok=True)
    text = output.with_suffix(".made.c")
    text.write_text(source)
    subprocess.run(["cc", "-w", "-o", output, text, *flags], check=True, stdin=subprocess.DEVNULL)
    text.unlink()
    return output


class Guest:
    """A root directory with the host's loader and libc in it, and a shelf of libraries outside to link against."""

    def __init__(self, root: Path, shelf: Path) -> None:
        self.root, self.shelf = root, shelf
        shelf.mkdir(parents=True)
        root.mkdir(parents=True)
        self._add_loader_and_libc()

    @property
    def loader(self) -> str:
        return self.interpreter

    def library(self, name: str, source: str = LIBRARY, *flags: str) -> Path:
        """A shared library on the shelf; `name` is its soname too."""
        return compile_c(source, self.shelf / name, "-shared", "-fPIC", f"-Wl,-soname,{name}", *flags)

    def program(self, path: str, *flags: str, source: str = PROGRAM) -> None:
        """A program of the guest. It may be linked against libraries that lack libraries themselves."""
        compile_c(source, self.place(path), "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", *flags)

    def install(self, library: Path, directory: str) -> None:
        self.place(directory).mkdir(parents=True, exist_ok=True)
        shutil.copy(library, self.place(directory))

    def write(self, path: str, text: str) -> None:
        self.place(path).parent.mkdir(parents=True, exist_ok=True)
        self.place(path).write_text(text)

    def place(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def run(self, path: str) -> subprocess.CompletedProcess[str]:
        """What the real kernel and the real loader make of it, where CAN_RUN_GUESTS.

        The loader takes $ORIGIN of a program from /proc/self/exe.
        """
        self.place("/proc").mkdir(exist_ok=True)
        script = 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$1"'
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, self.root, path],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def _add_loader_and_libc(self) -> None:
        native = ElfFile(compile_c(ALONE, self.shelf / "native"))
        assert native.interpreter is not None
        self.interpreter = native.interpreter
        self.place(self.interpreter).parent.mkdir(parents=True)
        shutil.copy(self.interpreter, self.place(self.interpreter))
        for name in native.needed:
            found = subprocess.run(["cc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
            self.install(Path(found.stdout.strip()).resolve(), "/usr/lib")
            copied = self.place("/usr/lib") / Path(found.stdout.strip()).resolve().name
            if copied.name != name:
                copied.rename(self.place("/usr/lib") / name)
