"""The diagnostic agent: a small static program, compiled on this host from `probe.c` and kept for the next build.

It stands where kata-agent would and tells on the console what the guest looks like from inside; it is not kata-agent,
and the conformance suite refuses it unless it is told otherwise.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from rootfs_kit import __version__
from rootfs_kit.backends import Command, Tool
from rootfs_kit.errors import BuildFailed, HostLacks
from rootfs_kit.monitor import SilentMonitor

FLAGS = ("-static", "-Os", "-s", "-Wall", "-Wextra", f'-DPROBE_VERSION="{__version__}"')
# What the compilers of Debian and its derivatives are called: the kernel's name of the machine -> the triplet.
TRIPLETS = {
    "x86_64": "x86_64-linux-gnu",
    "aarch64": "aarch64-linux-gnu",
    "armv7l": "arm-linux-gnueabihf",
    "ppc64le": "powerpc64le-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
    "s390x": "s390x-linux-gnu",
}
COMPILER = Tool(
    "cc",
    {
        "debian": "gcc libc6-dev",
        "fedora": "gcc glibc-static",
        "alpine": "gcc musl-dev",
        "opensuse": "gcc glibc-devel-static",
        "arch": "gcc",
    },
)


def probe_agent(machine: str) -> Path:
    """The probe for `machine` (as `uname -m` says it), compiled now or by an earlier build.

    Raises HostLacks where there is no compiler for that machine, and BuildFailed where it does not compile.
    """
    compiler = _compiler(machine)
    source = files(__name__).joinpath("probe.c").read_bytes()
    key = hashlib.sha256(b"\0".join((source, compiler.encode(), *(flag.encode() for flag in FLAGS)))).hexdigest()
    place = _cache() / f"probe-{machine}-{key[:16]}"
    if not place.exists():
        _compile(compiler, source, place)
    return place


def _compiler(machine: str) -> str:
    """A compiler for `machine`: musl's, whose programs are small, before the host's own."""
    native = machine == os.uname().machine
    names = ("musl-gcc", "cc", "gcc") if native else (f"{TRIPLETS.get(machine, machine)}-gcc",)
    found = next((name for name in names if shutil.which(name)), None)
    if found is not None:
        return found
    from rootfs_kit.host import install_command

    hint = install_command([COMPILER]) if native else f"On Debian: apt-get install gcc-{_package_suffix(machine)}"
    raise HostLacks(f"compiling the probe agent for {machine}", f"{names[-1]} is not installed", hint)


def _package_suffix(machine: str) -> str:
    return TRIPLETS.get(machine, machine).replace("_", "-")


def _cache() -> Path:
    """The user's cache directory (XDG Base Directory Specification), or a temporary one where there is no home."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    place = Path(base) / "rootfs-kit"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="rootfs-kit-cache-"))
    return place


def _compile(compiler: str, source: bytes, place: Path) -> None:
    """Compile beside `place` and rename, so that a build that is killed leaves no half of a program."""
    from rootfs_kit.run import build_log, run

    with tempfile.TemporaryDirectory(prefix="probe-", dir=place.parent) as workshop:
        written, compiled = Path(workshop, "probe.c"), Path(workshop, "probe")
        written.write_bytes(source)
        with build_log(None, "probe") as log:
            run(Command((compiler, *FLAGS, "-o", str(compiled), str(written))), SilentMonitor(), log)
        if not compiled.is_file():
            raise BuildFailed("compiling the probe agent", f"{compiler} made no program", "Install another compiler.")
        compiled.replace(place)
