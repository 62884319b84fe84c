"""The probe as a program on this host: what it says of itself, how it is made, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from rootfs_kit.errors import HostLacks
from rootfs_kit.probe import probe_agent
from rootfs_kit.tree.agent_identity import AgentIdentity, identify_agent
from rootfs_kit.tree.elf import ElfFile
from tests.support.requirements import needs_program

pytestmark = needs_program("cc")
MACHINE = os.uname().machine


@pytest.fixture(scope="module")
def probe() -> Path:
    return probe_agent(MACHINE)


def _facts(output: str) -> dict[str, object]:
    return {said["fact"]: said["value"] for said in map(json.loads, output.splitlines())}


def test_it_says_that_it_is_not_kata_agent(probe: Path) -> None:
    done = subprocess.run([str(probe), "--version"], capture_output=True, text=True, check=True)
    assert "NOT kata-agent" in done.stdout
    assert "rootfs-kit" in done.stdout


def test_it_is_static_and_recognised_as_the_probe(probe: Path) -> None:
    assert ElfFile(probe).is_static
    assert identify_agent(probe.read_bytes()) is AgentIdentity.PROBE


def test_it_refuses_arguments_that_it_does_not_know(probe: Path) -> None:
    done = subprocess.run([str(probe), "--serve"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--version" in done.stderr


def test_as_a_service_it_says_its_facts_stays_up_and_ends_on_sigterm(probe: Path) -> None:
    running = subprocess.Popen([str(probe)], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    lines = []
    for line in running.stdout:
        lines.append(line)
        if '"ready"' in line:
            break
    time.sleep(0.2)
    assert running.poll() is None
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=10) == 0
    facts = _facts("".join(lines))
    assert facts["mode"] == "service"
    assert facts["pid"] == running.pid
    assert facts["kernel"] == os.uname().release
    assert facts["mounts"]["/proc"] == "proc"  # type: ignore[index]


def test_it_is_compiled_once_for_a_source_and_a_compiler(probe: Path) -> None:
    before = probe.stat().st_mtime_ns
    assert probe_agent(MACHINE) == probe
    assert probe.stat().st_mtime_ns == before


def test_another_cache_compiles_it_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled = probe_agent(MACHINE)
    assert compiled.is_relative_to(tmp_path)
    assert os.access(compiled, os.X_OK)
    assert [path.name for path in compiled.parent.iterdir()] == [compiled.name]


def test_without_a_compiler_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostLacks) as error:
        probe_agent(MACHINE)
    assert "gcc" in error.value.hint


def test_a_machine_without_a_cross_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostLacks) as error:
        probe_agent("s390x" if MACHINE != "s390x" else "aarch64")
    assert "gcc-" in error.value.hint
