"""What an engine lays ready for a plan's commands: the plan's own files, and programs that the host lacks."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from rootfs_kit.backends import Command, PinnedFile, Tool
from rootfs_kit.engines.host import fetch_missing, lay_files, with_programs
from rootfs_kit.errors import BuildFailed, UsageError

ABSENT = "rootfs-kit-test-no-such-program"


def _fetch(cache: Path, into: Path) -> Path:
    return into / cache.name


def _fail(cache: Path, into: Path) -> Path:
    raise BuildFailed("fetching", f"not into {into} by {cache}", "")


def test_files_are_laid_by_content_and_from_the_host(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"a key")
    pinned = PinnedFile(key, hashlib.sha256(b"a key").hexdigest())
    lay_files({"one": b"text", "deep/two": key, "keys/three": pinned}, tmp_path / "files")
    laid = tmp_path / "files"
    assert (laid / "one").read_bytes() == b"text"
    assert (laid / "deep/two").read_bytes() == b"a key"
    assert (laid / "keys/three").read_bytes() == b"a key"


def test_a_pinned_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"another key")
    with pytest.raises(UsageError, match="not the file that is pinned") as caught:
        lay_files({"key": PinnedFile(key, hashlib.sha256(b"a key").hexdigest())}, tmp_path / "files")
    assert hashlib.sha256(b"another key").hexdigest() in caught.value.found
    assert not (tmp_path / "files/key").exists()


def test_a_pinned_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        lay_files({"key": PinnedFile(tmp_path / "none", "0" * 64)}, tmp_path / "files")


def test_a_program_that_the_host_lacks_is_fetched_and_used(tmp_path: Path) -> None:
    tools = (Tool(ABSENT, {}, _fetch), Tool("sh", {}, _fail), Tool(f"{ABSENT}-2", {}))
    programs = fetch_missing(tools, Path("/cache/fetched"), tmp_path)
    assert programs == {ABSENT: tmp_path / "fetched"}
    command = Command((ABSENT, "add", ABSENT), {"A": "b"}, (("text", 0.5),))
    assert with_programs(command, programs) == Command(
        (os.fspath(tmp_path / "fetched"), "add", ABSENT), {"A": "b"}, (("text", 0.5),)
    )
    assert with_programs(Command(("sh", "-c")), programs).argv == ("sh", "-c")
