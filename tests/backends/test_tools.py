"""A tool that is not there may have another in its place, which takes the same arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfs_kit.backends import Command, Plan, Tool
from rootfs_kit.engines.host import HostEngine, find_tool, with_tool_found
from rootfs_kit.errors import HostLacks
from tests.support.requirements import needs_root
from tests.support.trees import program

# Names that no host has, so that only those of the test are found.
TOOL = Tool("rootfs-kit-one", {}, instead=("rootfs-kit-two", "rootfs-kit-three"))
COMMAND = Command(("rootfs-kit-one", "install", "rootfs-kit-two"))


@pytest.fixture
def bin_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_the_tool_itself_comes_first(bin_directory: Path):
    for name in ("rootfs-kit-three", "rootfs-kit-two", "rootfs-kit-one"):
        program(bin_directory, name)
        assert find_tool(TOOL) == str(bin_directory / name)
        found = with_tool_found(COMMAND, (TOOL,))
        assert found.argv == (str(bin_directory / name), "install", "rootfs-kit-two")


def test_other_commands_stay_as_they_are(bin_directory: Path):
    program(bin_directory, "rootfs-kit-two")
    assert with_tool_found(COMMAND, (Tool("rootfs-kit-one", {}),)) == COMMAND
    assert with_tool_found(Command(("sh", "-c", "true")), (TOOL,)).argv == ("sh", "-c", "true")


@needs_root()
def test_the_engine_is_content_with_either_and_names_the_first_where_there_is_none(bin_directory: Path):
    plan = Plan((COMMAND,), (TOOL,), ())
    with pytest.raises(HostLacks, match="not installed: rootfs-kit-one"):
        HostEngine().require_ready(plan)
    program(bin_directory, "rootfs-kit-three")
    HostEngine().require_ready(plan)
