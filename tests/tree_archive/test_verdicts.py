"""A guest in an archive gets the verdict that it gets as a directory: to the finding."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from rootfs_kit.suite.verdict import State, Verdict
from tests.cli.conftest import PACKAGE_PARENT, Run, clean_environment, spawn
from tests.support.requirements import needs_docker, needs_program, needs_root
from tests.support.trees import initrd, systemd_initrd
from tests.support.verdicts import caught, judged
from tests.tree_archive.workshop import CAPABILITY, Image, compressed, cpio, docker_save, layout, tar

pytestmark = [needs_program("cc", "depmod", "tar", "cpio", "gzip"), needs_root()]

__all__ = ["clean_environment", "spawn"]  # fixtures that are used here by name

Packer = Callable[[Path, Path], "Path | str"]


def as_tar(root: Path, place: Path) -> Path:
    return tar(root, place / "guest.tar", "--format=pax", "--xattrs", "--xattrs-include=*")


def as_initrd(root: Path, place: Path) -> Path:
    return compressed(cpio(root, place / "initrd"), "gzip", "-c")


def as_docker_save(root: Path, place: Path) -> Path:
    return docker_save(as_tar(root, place), place / "saved.tar", f"rootfs-kit-test:{uuid.uuid4().hex[:12]}")


def as_layout(root: Path, place: Path) -> str:
    return f"oci:{layout(place / 'layout', Image((compressed(as_tar(root, place), 'gzip', '-c'),), 'v1'))}:v1"


FORMS = [
    pytest.param(as_tar, id="tar"),
    pytest.param(as_initrd, id="initrd"),
    pytest.param(as_docker_save, id="docker-save", marks=needs_docker()),
    pytest.param(as_layout, id="oci"),
]


def plain_pytest(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest as users start it."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "rootfs_kit.pytest_plugin", *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(PACKAGE_PARENT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def outcome(verdict: Verdict) -> dict[str, tuple]:
    return {result.nodeid: (result.state, result.reason, result.findings) for result in verdict.results}


@pytest.mark.parametrize("pack", FORMS)
@pytest.mark.parametrize("make", [systemd_initrd, initrd])
def test_good_guest_is_good_in_every_form(tmp_path: Path, make: Callable[[Path], Path], pack: Packer) -> None:
    root = make(tmp_path / "root")
    packed = pack(root, tmp_path)
    features = ("initrd",) if pack is as_initrd else ()
    verdict, wanted = judged(packed, features=features), judged(root, features=features)
    assert caught(wanted) == {}, "the directory is good"
    assert outcome(verdict) == outcome(wanted)
    assert verdict.conforms


@pytest.mark.parametrize("pack", FORMS)
def test_defects_are_found_in_every_form(tmp_path: Path, pack: Packer) -> None:
    root = systemd_initrd(tmp_path / "root")
    (root / "usr/bin/kata-agent").chmod(0o644)
    (root / "tmp").chmod(0o755)
    shutil.rmtree(root / "proc")
    (root / "usr/sbin/init").unlink()
    (root / "usr/sbin/init").symlink_to("/lib/systemd/nowhere")
    features = ("initrd",) if pack is as_initrd else ()
    verdict, wanted = judged(pack(root, tmp_path), features=features), judged(root, features=features)
    assert len(wanted.of(State.FAILED)) >= 4
    assert outcome(verdict) == outcome(wanted)


def test_cpio_is_an_initrd_and_a_tar_is_none(tmp_path: Path) -> None:
    root = initrd(tmp_path / "root")
    assert "initrd" in judged(as_initrd(root, tmp_path)).profile.features
    assert "initrd" not in judged(as_tar(root, tmp_path)).profile.features


def test_rights_of_files_are_judged_without_root(tmp_path: Path) -> None:
    """As nobody, who could read neither the directory nor the agent in it."""
    root = initrd(tmp_path / "root")
    (root / "root").mkdir(mode=0o700)
    (root / "etc/secret").write_text("secret")
    (root / "etc/secret").chmod(0o600)
    os.setxattr(root / "usr/sbin/init", "security.capability", CAPABILITY)
    packed = as_tar(root, tmp_path)
    wanted = {nodeid: state.value for nodeid, (state, *_) in outcome(judged(packed)).items()}
    packed.chmod(0o644)
    for above in packed.parents[:-1]:
        above.chmod(above.stat().st_mode | 0o055)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            states = {nodeid: state.value for nodeid, (state, *_) in outcome(judged(packed)).items()}
            os.write(writing, json.dumps(states).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        assert json.loads(answer.read()) == wanted
    os.waitpid(child, 0)


@pytest.mark.slow
@pytest.mark.parametrize("pack", FORMS)
def test_commands_take_every_form(spawn: Run, tmp_path: Path, pack: Packer) -> None:
    root = initrd(tmp_path / "root")
    target = str(pack(root, tmp_path)).replace(f"{tmp_path}/", "./")
    checked = spawn("check", target)
    assert (checked.status, checked.err) == (0, ""), checked.out
    expected = spawn("expect", target)
    assert expected.status == 0
    (tmp_path / "expect.toml").write_text(expected.out)
    assert spawn("check", target, "--expect", "expect.toml").status == 0
    (root / "etc/new").touch()
    pytest_run = plain_pytest(tmp_path, f"--rootfs={target}")
    assert pytest_run.returncode == 0, pytest_run.stdout
    assert f"rootfs: {target} (" in pytest_run.stdout


def test_bounds_and_machine_are_options(spawn: Run, tmp_path: Path) -> None:
    root = initrd(tmp_path / "root")
    packed = as_initrd(root, tmp_path)
    assert "unpacks to more than" in spawn("check", str(packed), "--max-size", "10 kB").err
    assert spawn("check", str(packed), "--max-size", "1 GiB").status == 0
    assert spawn("check", str(packed), "--rootfs-max-size", "much").status == 2
    refused = spawn("check", as_layout(root, tmp_path), "--arch", "s390x")
    assert (refused.status, "for amd64, not for s390x" in refused.err) == (2, True)
    done = plain_pytest(tmp_path, f"--rootfs={packed}", "--rootfs-max-size=much")
    assert (done.returncode, "it is no size" in done.stderr) == (4, True)


def test_reports_are_not_written_over_the_archive(spawn: Run, tmp_path: Path) -> None:
    root = initrd(tmp_path / "root")
    packed = as_tar(root, tmp_path).rename(tmp_path / "guest.json")
    before = packed.read_bytes()
    done = plain_pytest(tmp_path, f"--rootfs={packed}", f"--rootfs-report={packed}")
    assert done.returncode == 4
    for target in (packed, root):
        report = packed if target is packed else root / "report.json"
        refused = spawn("check", str(target), "--report", str(report))
        assert (refused.status, "would be written into it" in refused.err) == (2, True)
    assert packed.read_bytes() == before
    assert not (root / "report.json").exists()
