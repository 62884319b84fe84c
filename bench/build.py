"""Times `rootfs-kit build debian` against bare mmdebstrap with the same packages, turn about, onto the same disk.

    sudo python bench/build.py --runs 5 --modules /lib/modules/VERSION

Each run has a path of its own, and nothing is deleted before the last one is done: ext4 creates files two to three
times slower just after a tree was removed. Prints a table; `--json FILE` keeps every figure.

    sudo python bench/build.py --user NAME --program /opt/rootfs-kit/bin/rootfs-kit --directory /var/tmp

builds as that ordinary user as well, in a user namespace; program and directory must be within the user's reach.

    sudo python bench/build.py --engine docker --builder-image IMAGE

builds in a container as well, from an image that has mmdebstrap: a warm one, or the first run makes it.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

KATA_SECONDS = 25.5
"""Kata's rootfs.sh for the same packages of bookworm onto a fresh path of ext4, on a machine of this size."""
OURS = ("furnishing the guest", "checking", "publishing")


def main() -> None:
    options = _options()
    if os.geteuid() != 0:
        sys.exit("bench/build.py: both builders need root here; run it with sudo")
    workplace = Path(tempfile.mkdtemp(prefix="rootfs-kit-bench-", dir=options.directory))
    workplace.chmod(0o755)
    figures: dict[str, list[dict[str, Any]]] = {"mmdebstrap": [], "rootfs-kit": []}
    figures |= {name: [] for name in ("userns",) if options.user}
    figures |= {name: [] for name in ("container",) if options.engine}
    try:
        packages = _packages(options)
        for number in range(options.runs):
            figures["mmdebstrap"].append(_mmdebstrap(workplace / f"bare-{number}", packages, options))
            figures["rootfs-kit"].append(_rootfs_kit(workplace / f"ours-{number}", options))
            if options.user:
                figures["userns"].append(_as_user(workplace / f"user-{number}", options))
            if options.engine:
                figures["container"].append(_in_container(workplace / f"container-{number}", options))
            print(f"run {number + 1} of {options.runs} done", file=sys.stderr)
    finally:
        shutil.rmtree(workplace)
    print(_table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--release", default="bookworm")
    parser.add_argument("--mirror", help="the archive that both use; by default mmdebstrap's own")
    parser.add_argument("--modules", type=Path, help="kernel modules that rootfs-kit adds")
    parser.add_argument("--directory", type=Path, default=Path.cwd(), help="the disk to build onto")
    parser.add_argument("--user", help="build as this user, too, in a user namespace")
    parser.add_argument("--engine", help="build with this container engine, too")
    parser.add_argument("--builder-image", help="the image for it; by default the distribution's own")
    parser.add_argument("--program", help="the rootfs-kit to time; by default the one of this Python")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    return parser.parse_args()


def _packages(options: argparse.Namespace) -> list[str]:
    shown = subprocess.run(
        [*_program(options), "show", "debian", "--os-version", options.release, "--agent", "probe", "--format", "json"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [package["name"] for package in json.loads(shown)["packages"]]


def _program(options: argparse.Namespace) -> list[str]:
    return shlex.split(options.program) if options.program else [sys.executable, "-m", "rootfs_kit"]


def _mmdebstrap(target: Path, packages: list[str], options: argparse.Namespace) -> dict[str, Any]:
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=required", f"--include={','.join(packages)}"]
    mirror = [options.mirror] if options.mirror else []
    begun = time.monotonic()
    subprocess.run([*command, options.release, str(target), *mirror], check=True)
    return {"seconds": time.monotonic() - begun}


def _as_user(directory: Path, options: argparse.Namespace) -> dict[str, Any]:
    """env(1) stands between, since setpriv(1) still has root's rights when it executes what is named."""
    user = pwd.getpwnam(options.user)
    directory.mkdir()
    os.chown(directory, user.pw_uid, user.pw_gid)
    become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", "env"]
    return _rootfs_kit(directory / "rootfs", options, [*become, f"HOME={user.pw_dir}"])


def _in_container(target: Path, options: argparse.Namespace) -> dict[str, Any]:
    image = ["--builder-image", options.builder_image] if options.builder_image else []
    return _rootfs_kit(target, options, more=["--engine", options.engine, *image])


def _rootfs_kit(
    target: Path, options: argparse.Namespace, become: Sequence[str] = (), more: Sequence[str] = ()
) -> dict[str, Any]:
    command = [*become, *_program(options), "build", "debian", "--json", "--quiet", *more]
    command += ["--os-version", options.release]
    command += ["--agent", "probe", "--rootfs-dir", str(target)]
    command += ["--mirror", options.mirror] if options.mirror else []
    command += ["--kernel-modules", str(options.modules)] if options.modules else []
    begun = time.monotonic()
    output, peak = _watched(command)
    seconds = time.monotonic() - begun
    result = json.loads(output)
    parts = result["seconds"]
    return {
        "seconds": seconds,
        "stages": parts,
        "added": sum(parts[name] for name in OURS),
        "entries": result["entries"],
        "peak_mib": peak,
    }


def _watched(command: list[str]) -> tuple[bytes, float]:
    """What rootfs-kit printed, and the most memory that its own process held, in MiB (VmHWM of proc_pid_status(5))."""
    peak = 0
    with tempfile.TemporaryFile() as output:
        running = subprocess.Popen(command, stdout=output)
        while running.poll() is None:
            peak = max(peak, _high_water(running.pid))
            time.sleep(0.05)
        if running.returncode != 0:
            sys.exit(f"bench/build.py: rootfs-kit ended with {running.returncode}")
        output.seek(0)
        return output.read(), peak / 1024


def _high_water(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _table(figures: dict[str, list[dict[str, Any]]]) -> str:
    bare = [run["seconds"] for run in figures["mmdebstrap"]]
    ours = [run["seconds"] for run in figures["rootfs-kit"]]
    added = [run["added"] for run in figures["rootfs-kit"]]
    rows = [
        ["bare mmdebstrap onto disk", *_spread(bare)],
        ["rootfs-kit build, checks included", *_spread(ours)],
        ["what rootfs-kit adds", *_spread(added)],
        ["ratio, pair by pair", *_spread(_ratios(ours, bare))],
        ["peak memory of rootfs-kit, MiB", *_spread([run["peak_mib"] for run in figures["rootfs-kit"]])],
        ["ratio to Kata's rootfs.sh (25.5 s)", *_spread([mine / KATA_SECONDS for mine in ours])],
    ]
    others = {"userns": "rootfs-kit build by a user, in a namespace", "container": "rootfs-kit build in a container"}
    for name, title in others.items():
        if name in figures:
            theirs = [run["seconds"] for run in figures[name]]
            rows.append([title, *_spread(theirs)])
            rows.append(["ratio to the host's, pair by pair", *_spread(_ratios(theirs, ours))])
    return tabulate(rows, headers=["", "median", "min", "max"], floatfmt=".2f")


def _ratios(ones: list[float], others: list[float]) -> list[float]:
    return [one / other for one, other in zip(ones, others, strict=True)]


def _spread(values: list[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)


if __name__ == "__main__":
    main()
