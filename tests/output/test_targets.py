"""Where an archive goes: a file that is whole or not there, or standard output with nothing else on it."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from rootfs_kit.errors import UsageError
from rootfs_kit.request import Format
from rootfs_kit.staging import temporary_directory
from rootfs_kit.target import require_safe_file
from tests.support.agents import stand_in_agent
from tests.support.requirements import needs_root
from tests.support.surroundings import clean_environment, planned_build, planned_overlay


def overlay(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The quickest way to an archive: only Kata's files."""
    return subprocess.run(
        [sys.executable, "-m", "rootfs_kit", "overlay", "--agent-bin", str(stand_in_agent()), *arguments],
        cwd=cwd, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120,
    )  # fmt: skip


@needs_root()
@pytest.mark.parametrize("name", ["out.tar", "out.tar.gz", "out.tar.xz", "out.tgz"])
def test_a_file_is_written_and_nothing_beside_it(tmp_path: Path, name: str) -> None:
    done = overlay(tmp_path, "--format", "tar", "-r", name)
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == [name]
    with tarfile.open(tmp_path / name) as tar:
        assert tar.getmember("./usr/bin/kata-agent").mode == 0o755
    with (tmp_path / name).open("rb") as file:
        assert file.read(2) == {".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b", ".xz": b"\xfd7"}.get(Path(name).suffix, b"./")


@pytest.mark.parametrize(
    ("name", "form", "told"),
    [
        ("a.tar.bz2", ["--format", "tar"], "its suffix .bz2 means bzip2, which is not supported"),
        (
            "a.tgz",
            ["--format", "cpio"],
            "a.tgz (command line, --rootfs-dir) is a name for a tar, and the format is cpio",
        ),
        ("a.cpio.gz", ["--format", "tar"], "is a name for a cpio, and the format is tar"),
        ("a.tar.gz", [], "is a name for an archive, and without --format a directory is made"),
        ("initrd.zst", [], "Give --format tar or cpio; with dir, a directory is called so."),
        ("a.tbz2", [], "is a name for an archive"),
    ],
)
def test_a_name_that_promises_what_it_would_not_be_is_refused(
    tmp_path: Path, name: str, form: list[str], told: str
) -> None:
    done = overlay(tmp_path, "-r", name, *form)
    assert done.returncode == 2
    assert told in done.stderr.decode()
    assert os.listdir(tmp_path) == []


def test_a_directory_may_be_called_like_an_archive_where_it_is_one_already_or_asked_for(tmp_path: Path) -> None:
    (tmp_path / "old.tar").mkdir()
    for form in ({"rootfs_dir": "old.tar"}, {"rootfs_dir": "new.tar", "format": "dir"}):
        assert planned_build(tmp_path, **form).request.format is Format.DIRECTORY
        assert planned_overlay(tmp_path, **form).request.format is Format.DIRECTORY
    with pytest.raises(UsageError, match="is a name for an archive"):
        planned_build(tmp_path, {"ROOTFS_DIR": "new.tar"})


@needs_root()
def test_on_standard_output_there_is_the_archive_and_nothing_else(tmp_path: Path) -> None:
    done = overlay(tmp_path, "--format", "tar", "-r", "-")
    assert done.returncode == 0, done.stderr
    with tarfile.open(fileobj=io.BytesIO(done.stdout), mode="r:") as tar:
        assert "./usr/bin/kata-agent" in tar.getnames()
    assert b"checks  " in done.stderr  # the table has gone there
    assert os.listdir(tmp_path) == []


@needs_root()
def test_a_reader_that_leaves_early_leaves_nothing_behind(tmp_path: Path) -> None:
    command = f"{sys.executable} -m rootfs_kit overlay -q --agent-bin {stand_in_agent()} --format tar -r - | true"
    done = subprocess.run(
        ["bash", "-c", f'set -o pipefail; {command}; echo "${{PIPESTATUS[0]}}"'], cwd=tmp_path,
        env={**clean_environment(), "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout in ("141\n", "0\n")
    assert done.stderr == ""
    assert [name for name in os.listdir(tmp_path) if not name.endswith(".log")] == []


def test_what_a_killed_build_left_among_temporary_files_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("left", "held", "strangers"):
        (tmp_path / f"rootfs-kit-output-{name}").mkdir()
    (tmp_path / "rootfs-kit-output-left/lock").touch()
    (tmp_path / "rootfs-kit-output-left/rootfs").mkdir()
    with FileLock(tmp_path / "rootfs-kit-output-held/lock"), temporary_directory() as directory:
        assert {directory.name, "rootfs-kit-output-held", "rootfs-kit-output-strangers"} == set(os.listdir(tmp_path))
    assert not directory.exists()


def test_a_document_on_the_same_standard_output_is_refused(tmp_path: Path) -> None:
    done = overlay(tmp_path, "--format", "cpio", "-r", "-", "--json")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"--json has no place there" in done.stderr


def test_an_archive_on_a_terminal_is_refused(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rootfs_kit", "overlay", "--agent-bin", str(stand_in_agent()),
             "--format", "tar", "-r", "-"],
            cwd=tmp_path, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=follower,
            stderr=subprocess.PIPE, check=False, timeout=120,
        )  # fmt: skip
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 2
    assert b"does not belong on a terminal" in done.stderr


@needs_root()
def test_an_archive_takes_the_place_of_an_archive_only(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Jane,")
    arguments = ("--format", "cpio", "-r", "letter.txt")
    refused = overlay(tmp_path, *arguments)
    assert refused.returncode == 2
    assert b"it is a file, and no archive" in refused.stderr
    assert (tmp_path / "letter.txt").read_text() == "Dear Jane,"
    assert overlay(tmp_path, *arguments, "--force").returncode == 0
    assert overlay(tmp_path, *arguments).returncode == 0
    assert (tmp_path / "letter.txt").read_bytes().startswith(b"070701")


@pytest.mark.parametrize(
    "head", [b"", b"070701", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", bytes(257) + b"ustar\0"]
)
def test_what_was_an_archive_before_may_be_replaced(tmp_path: Path, head: bytes) -> None:
    file = tmp_path / "archive"
    file.write_bytes(head)
    require_safe_file(file, force=False)
    assert file.read_bytes() == head
    file.write_bytes(b"Dear Jane," + head)
    with pytest.raises(UsageError, match="no archive"):
        require_safe_file(file, force=False)


def test_no_archive_goes_to_a_directory_a_device_or_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    for target, found in (
        (tmp_path, "a directory"),
        (Path("/dev/null"), "no regular file"),
        (tmp_path / "link", "link"),
    ):
        with pytest.raises(UsageError, match=found):
            require_safe_file(target, force=True)


def test_an_archive_without_a_name_gets_the_suffix_of_its_format(tmp_path: Path) -> None:
    assert planned_build(tmp_path).request.rootfs_dir == tmp_path / "rootfs-debian"
    assert planned_build(tmp_path, format="tar").request.rootfs_dir == tmp_path / "rootfs-debian.tar"
    assert planned_build(tmp_path, format="cpio").request.rootfs_dir == tmp_path / "rootfs-debian.cpio"
    assert planned_build(tmp_path, {"ROOTFS_DIR": "x"}, format="cpio").request.rootfs_dir == tmp_path / "x"


def test_a_directory_cannot_go_to_standard_output(tmp_path: Path) -> None:
    for plan in (planned_build, planned_overlay):
        with pytest.raises(UsageError, match="takes an archive, and the format is dir"):
            plan(tmp_path, rootfs_dir="-")
    request = planned_build(tmp_path, rootfs_dir="-", format="tar").request
    assert request.to_stdout
    assert request.format is Format.TAR
    assert planned_build(tmp_path, rootfs_dir="./-").request.rootfs_dir == tmp_path / "-"
