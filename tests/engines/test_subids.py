"""Which subordinate ids a user has, and the command that gives some."""

from __future__ import annotations

from pathlib import Path

from rootfs_kit.host.subids import IdRange, SubidFile, command_to_add, largest_range

LINES = """\
alice:100000:65536
1234:300000:10
alice:400000:131072
bob:1:5
# junk
alice:x:y
alice:1
"""


def _file(tmp_path: Path, text: str = LINES) -> SubidFile:
    path = tmp_path / "subuid"
    path.write_text(text)
    return SubidFile(path, "--add-subuids")


def test_the_largest_range_of_a_name_or_number_counts(tmp_path: Path):
    file = _file(tmp_path)
    assert largest_range(file, "alice", 1) == IdRange(400000, 131072)
    assert largest_range(file, "carol", 1234) == IdRange(300000, 10)
    assert largest_range(file, "carol", 1) is None


def test_a_missing_file_gives_nothing(tmp_path: Path):
    file = SubidFile(tmp_path / "none", "--add-subuids")
    assert largest_range(file, "alice", 1) is None
    assert command_to_add(file, "alice") == "sudo usermod --add-subuids 100000-165535 alice"


def test_a_range_must_do_for_a_distributions_users(tmp_path: Path):
    assert IdRange(1, 65536).is_enough
    assert not IdRange(1, 65535).is_enough


def test_the_range_to_add_touches_nobody_elses(tmp_path: Path):
    assert command_to_add(_file(tmp_path), "carol") == "sudo usermod --add-subuids 531072-596607 carol"
