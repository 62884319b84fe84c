"""What a machine may lack, and the skip reasons that name it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

import pytest

CLONE_NEWNS = 0x00020000
DEBIAN_ARCHIVE = "needs root, mmdebstrap and Debian's archive"


def needs_program(*programs: str) -> pytest.MarkDecorator:
    """Skip unless every one of `programs` is on PATH."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)} on PATH")


def needs_root() -> pytest.MarkDecorator:
    return pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def needs_mount_namespace() -> pytest.MarkDecorator:
    return pytest.mark.skipif(not _can_unshare_mounts(), reason="needs the right to make a mount namespace")


def needs_overlayfs() -> pytest.MarkDecorator:
    """Skip unless this process may mount an overlayfs, with its upper layer in memory."""
    return pytest.mark.skipif(not _can_mount_overlayfs(), reason="needs the right to mount an overlayfs")


def needs_debian_archive() -> pytest.MarkDecorator:
    """Skip unless mmdebstrap can be used and the archive that it defaults to answers."""
    return pytest.mark.skipif(not _debian_archive_answers(), reason=DEBIAN_ARCHIVE)


def require_debian_archive() -> None:
    """Skip the calling test unless mmdebstrap can be used and the archive that it defaults to answers."""
    if not _debian_archive_answers():
        pytest.skip(DEBIAN_ARCHIVE)


def third_party_data() -> Path:
    """The folder of third-party input (Alpine and busybox trees); skips the calling test where there is none."""
    default = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
    data = Path(os.environ.get("ROOTFS_KIT_TEST_DATA", default)).resolve()
    if not data.is_dir():
        pytest.skip("needs the third-party trees that ROOTFS_KIT_TEST_DATA names")
    return data


@cache
def _can_mount_overlayfs() -> bool:
    with tempfile.TemporaryDirectory() as place:
        options = f"lowerdir=/usr,upperdir={place}/upper,workdir={place}/work"
        steps = f"mount -t tmpfs tmpfs {place} && cd {place} && mkdir upper work merged"
        script = f"{steps} && mount -t overlay overlay -o {options} merged"
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, check=False)
    return done.returncode == 0


@cache
def _can_unshare_mounts() -> bool:
    child = os.fork()
    if child == 0:
        os._exit(0 if ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0 else 1)
    return os.waitpid(child, 0)[1] == 0


@cache
def _debian_archive_answers() -> bool:
    return os.geteuid() == 0 and shutil.which("mmdebstrap") is not None and _default_mirror_answers()


def _default_mirror_answers() -> bool:
    """Ask apt which mirror it uses here rather than name one."""

    uris = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True, check=False
    ).stdout.split()
    return any(_answers(uri) for uri in dict.fromkeys(uris))


def _answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(uri, timeout=10):
            return True
    except (urllib.error.URLError, OSError, ValueError):
        return False


def needs_docker() -> pytest.MarkDecorator:
    """Skip unless a Docker Engine answers."""
    return pytest.mark.skipif(not _docker_answers(), reason="needs a Docker Engine that answers")


@cache
def _docker_answers() -> bool:
    import subprocess

    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0
