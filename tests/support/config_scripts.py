"""Directories as Kata's osbuilder has them: a `config.sh`, and a `rootfs_lib.sh` where one is wanted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support import trees
from tests.support.agents import stand_in_agent
from tests.support.debian_archive import NOT_OF_DEBIAN
from tests.support.surroundings import clean_environment

CONFIG = """\
OS_NAME=Awesome
OS_VERSION=${OS_VERSION:-7}
PACKAGES="chrony iptables"
[[ "${AGENT_INIT}" = no ]] && PACKAGES+=" systemd"
[[ "${SECCOMP}" = yes ]] && PACKAGES+=" libseccomp2"
INIT_PROCESS=systemd
ARCH_EXCLUDE_LIST=(s390x)
"""
COPY = """\
build_rootfs() {{
	local rootfs_dir="$1"
	cp -a "{tree}/." "${{rootfs_dir}}"
}}
"""
SECONDS = 120


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


def made_tree(directory: Path) -> Path:
    """What a distribution's packages leave: a guest without anything of Kata's."""
    tree = trees.systemd_guest(directory)
    for path in (path for path in NOT_OF_DEBIAN if path != "var/lib/dpkg"):
        place = tree / path
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
    (tree / "usr/lib/os-release").unlink(missing_ok=True)
    (tree / "etc/os-release").unlink(missing_ok=True)
    (tree / "etc/os-release").write_text("ID=awesome\nVERSION_ID=7\nPRETTY_NAME=Awesome\n")
    return tree


def describe(directory: Path, config: str = CONFIG, library: str | None = None) -> Path:
    directory.mkdir(parents=True)
    (directory / "config.sh").write_text(config)
    if library is not None:
        (directory / "rootfs_lib.sh").write_text(library)
    return directory


def build(directory: Path, target: Path, *more: str, **environ: str) -> Outcome:
    """A build of a directory by its path, in a process of its own."""
    done = subprocess.run(
        [
            sys.executable, "-m", "rootfs_kit", "build", str(directory), "--agent-bin", str(stand_in_agent()),
            "--rootfs-dir", str(target), *more,
        ],
        cwd=target.parent, env={**clean_environment(), **environ}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, errors="surrogateescape", timeout=SECONDS, check=False,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout, done.stderr)
