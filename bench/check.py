"""Times the conformance suite on a Debian rootfs, turn about: an empty pytest run, the whole suite, and thirty
assertions by rootfs-kit and by pytest-testinfra's chroot backend.

    sudo python bench/check.py --growth docs/growth.svg

Everything runs in a virtual environment of its own, into which this checkout is installed as a wheel, with bytecode
cached and the tree in the page cache. Each turn runs every kind once; the table has the medians, and for what is
compared the median of the differences within one turn. Processor time (user and system, of all processes that were
started) is shown beside wall time: on a busy machine it is the one to go by. `--growth` adds made trees of ten
thousand, a hundred thousand and a million entries. `--json FILE` keeps every figure.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

from tabulate import tabulate

CHECKOUT = Path(__file__).resolve().parents[1]
PLUGIN = re.compile(r"import time:\s+\d+ \|\s+(\d+) \| +rootfs_kit\.pytest_plugin")
PACKAGES = ("bash", "coreutils", "dpkg", "libc6", "systemd", "util-linux")
EXIST = (
    "/etc/passwd", "/etc/group", "/etc/fstab", "/etc/os-release", "/etc/debian_version", "/bin/sh", "/bin/ls",
    "/sbin/init", "/usr/bin/dpkg", "/usr/bin/env", "/var/lib/dpkg/status", "/tmp",
)  # fmt: skip
MODES = {
    "/etc/passwd": 0o644, "/etc/group": 0o644, "/etc/shadow": 0o640, "/usr/bin/ls": 0o755, "/usr/bin/dpkg": 0o755,
    "/tmp": 0o1777, "/var/log": 0o755, "/root": 0o700,
}  # fmt: skip
ABSENT = ("/usr/bin/gcc", "/usr/bin/make", "/.dockerenv", "/etc/ssh/ssh_host_rsa_key")
EMPTY = "def test_nothing(): pass\n"
OURS = f"""
import pytest

@pytest.mark.parametrize("path", {EXIST!r})
def test_exists(rootfs, path): assert rootfs.file(path).exists

@pytest.mark.parametrize(("path", "mode"), {tuple(MODES.items())!r})
def test_mode(rootfs, path, mode): assert rootfs.file(path).mode == mode

@pytest.mark.parametrize("name", {PACKAGES!r})
def test_package(rootfs, name): assert name in rootfs.packages

@pytest.mark.parametrize("path", {ABSENT!r})
def test_absent(rootfs, path): assert not rootfs.file(path).exists
"""
TESTINFRA = (
    OURS.replace("(rootfs", "(host")
    .replace("rootfs.file", "host.file")
    .replace("name in rootfs.packages", "host.package(name).is_installed")
)
SCAN = """
import sys, time
from rootfs_kit.tree import open_rootfs
tree = open_rootfs(sys.argv[1])
begun = time.perf_counter()
entries = len(tree)
print(entries, time.perf_counter() - begun)
"""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="rootfs-kit-bench-", dir=options.directory) as place:
        workplace = Path(place)
        python = _install(workplace / "venv")
        rootfs = options.rootfs or _debian(workplace / "rootfs", options)
        figures = _turn_about(python, rootfs, workplace, options.runs)
        if options.growth:
            from growth import measure_growth, plot

            figures["growth"] = measure_growth(python, workplace, options.sizes)
            options.growth.write_text(plot(figures["growth"]))
    print(_table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rootfs", type=Path, help="the tree to judge; by default mmdebstrap makes one, as root")
    parser.add_argument("--release", default="bookworm")
    parser.add_argument("--mirror", help="the archive for that; by default mmdebstrap's own")
    parser.add_argument("--growth", type=Path, metavar="SVG", help="measure made trees too, and draw the figures")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="entries of those")
    parser.add_argument("--directory", type=Path, help="where the trees are made; by default where temporary files go")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    return parser.parse_args()


def _install(venv: Path) -> Path:
    """This checkout as a wheel, beside pytest-testinfra; the interpreter of that environment."""
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / "bin/python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    copy = venv / "checkout"
    shutil.copytree(
        CHECKOUT, copy, ignore=shutil.ignore_patterns(".venv", ".git", "build", "*.egg-info", "__pycache__")
    )
    subprocess.run([*pip, f"{copy}[bench]"], check=True)
    return python


def _debian(target: Path, options: argparse.Namespace) -> Path:
    if os.geteuid() != 0:
        sys.exit("bench/check.py: mmdebstrap, and the chroot of pytest-testinfra, need root; run it with sudo")
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=important", options.release, str(target)]
    subprocess.run([*command, *([options.mirror] if options.mirror else [])], check=True)
    return target


def _turn_about(python: Path, rootfs: Path, workplace: Path, runs: int) -> dict[str, Any]:
    commands = _commands(python, rootfs, workplace)
    figures: dict[str, Any] = {name: [] for name in (*commands, *(f"{one} cpu" for one in commands), "scan", "import")}
    for turn in range(runs + 1):
        for name, command in commands.items():
            wall, cpu = _seconds(command, workplace)
            figures[name].append(wall)
            figures[f"{name} cpu"].append(cpu)
        entries, scan = _output([python, "-c", SCAN, rootfs]).split()
        figures["scan"].append(float(scan))
        figures["import"].append(_import_seconds(python))
        if turn == 0:  # it filled the caches
            figures = {name: [] for name in figures}
    return {"entries": int(entries), **figures}


def _commands(python: Path, rootfs: Path, workplace: Path) -> dict[str, list[str]]:
    for name, text in (("empty", EMPTY), ("ours", OURS), ("testinfra", TESTINFRA)):
        (workplace / f"test_{name}.py").write_text(textwrap.dedent(text))
    pytest = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return {
        "floor": [*pytest, "test_empty.py"],
        "suite": [*pytest, f"--rootfs={rootfs}"],
        "ours": [*pytest, f"--rootfs={rootfs}", "test_ours.py"],
        "testinfra": [*pytest, f"--hosts={rootfs}", "--connection=chroot", "test_testinfra.py"],
    }


def _seconds(command: list[str], workplace: Path) -> tuple[float, float]:
    """Wall and processor time. The suite may find faults in the tree (status 1); the assertions must hold."""
    before, begun = os.times(), time.perf_counter()
    done = subprocess.run(command, cwd=workplace, env=_environment(), capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - begun, os.times()
    if done.returncode not in ((0,) if command[-1].startswith("test_") else (0, 1)):
        sys.exit(f"bench/check.py: {' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return wall, cpu


def _environment() -> dict[str, str]:
    """Bytecode is cached, as it is for everybody else, whatever this machine is set to."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}


def _output(command: list[Any]) -> str:
    return subprocess.run(
        list(map(str, command)), env=_environment(), check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _import_seconds(python: Path) -> float:
    """What the plugin adds to every pytest run of its environment, by `-X importtime`."""
    told = subprocess.run(
        [str(python), "-X", "importtime", "-c", "import pytest, rootfs_kit.pytest_plugin"],
        env=_environment(), check=True, stderr=subprocess.PIPE, text=True,
    ).stderr  # fmt: skip
    plugin = PLUGIN.search(told)
    package = re.search(r"import time:\s+\d+ \|\s+(\d+) \| +rootfs_kit\n", told)
    assert plugin and package
    return (int(plugin[1]) + int(package[1])) / 1e6


def _table(figures: dict[str, Any]) -> str:
    def above(name: str) -> list[float]:
        floor = figures["floor cpu" if name.endswith("cpu") else "floor"]
        return [taken - least for taken, least in zip(figures[name], floor, strict=True)]

    def ratios(kind: str) -> list[float]:
        return [ours / theirs for ours, theirs in zip(above(f"ours{kind}"), above(f"testinfra{kind}"), strict=True)]

    rows: list[list[Any]] = [
        ["an empty pytest run (the floor), s", *_spread(figures["floor"]), ""],
        [f"the whole suite, {figures['entries']} entries, above the floor, s", *_spread(above("suite")), "0.35"],
        ["the same in processor time, s", *_spread(above("suite cpu")), "0.35"],
        ["of that, the scan, s", *_spread(figures["scan"]), "0.15"],
        ["30 assertions by rootfs-kit, above the floor, s", *_spread(above("ours")), ""],
        ["30 assertions by pytest-testinfra in a chroot, above the floor, s", *_spread(above("testinfra")), ""],
        ["ratio of those two, turn by turn", *_spread(ratios("")), "0.5"],
        ["the same in processor time", *_spread(ratios(" cpu")), "0.5"],
        ["importing the plugin where pytest is, ms", *_spread([1000 * one for one in figures["import"]]), "5"],
    ]
    for size, one in figures.get("growth", {}).items():
        rows.append([f"{int(size):,} made entries, s", one["seconds"], "", "", ""])
        rows.append([f"{int(size):,} made entries, peak memory, MiB", one["peak_mib"], "", "", "400"])
    return tabulate(rows, headers=["", "median", "min", "max", "at most"], floatfmt=".3f")


def _spread(values: list[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)


if __name__ == "__main__":
    main()
