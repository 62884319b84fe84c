"""Which agent is taken, and what is said about one that cannot be the agent of this guest."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest
import zstandard

from rootfs_kit.errors import BadArchive, UsageError
from rootfs_kit.guest.agent import Agent, resolve_agent
from tests.guest.made import MACHINE, request
from tests.support.agents import foreign_agent, stand_in_agent
from tests.support.programs import kernel_module


def tarball(path: Path, members: dict[str, bytes], mode: int = 0o755) -> Path:
    """A .tar.zst as Kata's own build makes them, with members below ./."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    path.write_bytes(zstandard.compress(packed.getvalue()))
    return path


def refusal(tmp_path: Path, **knobs: object) -> str:
    with pytest.raises(UsageError) as caught:
        resolve_agent(request(tmp_path, **knobs))
    return str(caught.value)


def test_a_binary_is_taken_under_the_name_that_was_asked_for(tmp_path: Path) -> None:
    agent = resolve_agent(request(tmp_path, agent_name="my-agent"))
    assert agent == Agent("my-agent", stand_in_agent())
    assert agent.path == "/usr/bin/my-agent"


def test_the_probe_is_compiled_for_the_asking_and_says_so(tmp_path: Path) -> None:
    agent = resolve_agent(request(tmp_path, agent="probe"))
    assert agent is not None
    assert agent.is_probe
    assert b"rootfs-kit-probe-agent" in agent.source.read_bytes()


def test_a_rootfs_without_an_agent_needs_none(tmp_path: Path) -> None:
    assert resolve_agent(request(tmp_path, agent_bin=None, rootfs_only=True)) is None


def test_without_any_the_ways_to_give_one_are_listed(tmp_path: Path) -> None:
    said = refusal(tmp_path, agent_bin=None)
    assert "none is given" in said
    assert all(way in said for way in ("--agent-bin", "--agent-tarball", "--agent probe"))


def test_two_are_one_too_many(tmp_path: Path) -> None:
    assert "two are given" in refusal(tmp_path, agent_bin=stand_in_agent(), agent="probe")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path, agent_bin=tmp_path / "missing")


def test_a_directory_is_no_agent(tmp_path: Path) -> None:
    assert "no regular file" in refusal(tmp_path, agent_bin=tmp_path)


def test_a_script_is_no_agent(tmp_path: Path) -> None:
    script = tmp_path / "agent.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert "it is no program" in refusal(tmp_path, agent_bin=script)


def test_an_object_file_is_no_agent(tmp_path: Path) -> None:
    module = tmp_path / "agent.o"
    shutil.copy(kernel_module("made", "6.1.0-made"), module)
    module.chmod(0o755)
    assert "ELF file of type" in refusal(tmp_path, agent_bin=module)


def test_an_agent_for_another_machine_is_named_with_both_machines(tmp_path: Path) -> None:
    foreign = foreign_agent()
    foreign.chmod(0o755)
    said = refusal(tmp_path, agent_bin=foreign)
    assert f"the guest is to be {MACHINE}" in said
    assert "--arch" in said


def test_an_agent_that_is_not_executable_is_told_what_to_do(tmp_path: Path) -> None:
    plain = tmp_path / "kata-agent"
    shutil.copyfile(stand_in_agent(), plain)
    plain.chmod(0o644)
    assert f"chmod +x {plain}" in refusal(tmp_path, agent_bin=plain)


def test_a_download_that_broke_off_is_noticed(tmp_path: Path) -> None:
    half = tmp_path / "kata-agent"
    half.write_bytes(stand_in_agent().read_bytes()[:4096])
    half.chmod(0o755)
    assert "it ends after 4096 of" in refusal(tmp_path, agent_bin=half)


@pytest.mark.parametrize("directory", ["usr/bin", "bin"])
def test_the_agent_is_found_in_a_tarball(tmp_path: Path, directory: str) -> None:
    content = stand_in_agent().read_bytes()
    archive = tarball(tmp_path / "agent.tar.zst", {"etc/other": b"x", f"{directory}/kata-agent": content})
    agent = resolve_agent(request(tmp_path, agent_tarball=archive))
    assert agent == Agent("kata-agent", archive, f"/{directory}/kata-agent")


@pytest.mark.parametrize(
    ("members", "mode", "said"),
    [
        ({"usr/bin/other": b"x"}, 0o755, "it holds no usr/bin/kata-agent"),
        ({"usr/bin/kata-agent": b"#!/bin/sh\n"}, 0o755, "it is no program"),
        ({"usr/bin/kata-agent": stand_in_agent().read_bytes()}, 0o644, "it is not executable"),
        ({"usr/bin/kata-agent": foreign_agent().read_bytes()}, 0o755, f"the guest is to be {MACHINE}"),
    ],
    ids=["no agent", "a script", "not executable", "another machine"],
)
def test_a_tarball_without_a_fit_agent(tmp_path: Path, members: dict[str, bytes], mode: int, said: str) -> None:
    archive = tarball(tmp_path / "agent.tar.zst", members, mode)
    assert said in refusal(tmp_path, agent_tarball=archive)


def test_a_damaged_tarball_is_called_one(tmp_path: Path) -> None:
    archive = tarball(tmp_path / "agent.tar.zst", {"usr/bin/kata-agent": stand_in_agent().read_bytes()})
    archive.write_bytes(archive.read_bytes()[:300])
    with pytest.raises(BadArchive, match="damaged"):
        resolve_agent(request(tmp_path, agent_tarball=archive))
