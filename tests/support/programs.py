"""Small real programs and kernel modules for made trees, compiled once per run."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

NOTHING = "void _start(void) { for (;;) { } }\n"

MODULE = """
__attribute__((section(".modinfo"), used)) static const char facts[] =
    "license=GPL\\0name={name}\\0depends={depends}\\0vermagic={version} SMP mod_unload ";
int init_module(void) {{ return 0; }}
"""


@cache
def _workshop() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="rootfs-kit-programs-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def compile_c(source: str, name: str, *flags: str) -> Path:
    """The file `name` that the host's compiler makes of `source`."""
    output = _workshop() / name
    if not output.exists():
        written = output.with_suffix(".c")
        written.write_text(source)
        subprocess.run(["cc", "-w", *flags, "-o", str(output), str(written)], check=True, stdin=subprocess.DEVNULL)
    return output


def static_program() -> Path:
    """A static program of a few kilobytes that loops for ever: it stands for any program, and is never run."""
    return compile_c(NOTHING, "static-program", "-static", "-nostdlib", "-Os", "-s", "-fno-stack-protector")


def systemd_program(program: Path | None = None) -> Path:
    """A static program, or `program`, that says what only systemd says (src/core/main.c)."""
    source = program or static_program()
    output = source.with_name(f"{source.name}-of-systemd")
    output.write_bytes(source.read_bytes() + b"systemd.show_status\0")
    output.chmod(0o755)
    return output


def dynamic_program(*libraries: str) -> Path:
    """A program with an interpreter that needs `libraries` (file names such as libfoo.so.1)."""
    built = [compile_c("int nothing;\n", name, "-shared", "-nostdlib", f"-Wl,-soname,{name}") for name in libraries]
    name = "-".join(("dynamic-program", *libraries))
    return compile_c(NOTHING, name, "-nostdlib", "-s", "-Wl,--no-as-needed", *(str(path) for path in built))


def kernel_module(name: str, version: str, depends: str = "") -> Path:
    """An object file with the .modinfo that depmod and the kernel read; it does nothing."""
    source = MODULE.format(name=name, version=version, depends=depends)
    return compile_c(source, f"{name}-{version}-{depends}.ko", "-c", "-Os")


EM_S390 = 22
EM_AARCH64 = 183
E_MACHINE = slice(18, 20)
"""Where an ELF header names its machine (elf(5))."""


def foreign_program(native: Path) -> Path:
    """`native` with the machine of its ELF header changed: all that a kernel looks at before it refuses."""
    content = bytearray(native.read_bytes())
    native_machine = int.from_bytes(content[E_MACHINE], "little")
    content[E_MACHINE] = (EM_S390 if native_machine == EM_AARCH64 else EM_AARCH64).to_bytes(2, "little")
    output = native.with_name(f"{native.name}-foreign")
    output.write_bytes(content)
    output.chmod(0o755)
    return output
