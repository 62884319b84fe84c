"""`rootfs-kit doctor`: what this host lacks, each with the command that mends it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rootfs_kit import archive, doctor, host
from rootfs_kit.backends import Tool
from rootfs_kit.doctor import Diagnosis, State
from rootfs_kit.engines import host as engine
from rootfs_kit.host import emulation
from tests.cli.conftest import PACKAGE_PARENT, Outcome, Run, command_line


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """An archive on 127.0.0.1 that holds the index of one release, trixie."""
    index = tmp_path / "archive" / "debian" / "dists" / "trixie"
    index.mkdir(parents=True)
    (index / "InRelease").write_text("Codename: trixie\n")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "archive"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/debian"
        server.shutdown()


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory for PATH with the tools that a build of Debian needs, each a program that does nothing."""
    directory = tmp_path / "tools"
    directory.mkdir()
    for name in ("mmdebstrap", "depmod", "cc", "unshare", "newuidmap", "dpkg", "apt-get", "gpgv"):
        program = directory / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    return directory


def see_only(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide every program but those in `tools`."""
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(engine, "DEFAULT_PATH", str(tools))


def diagnoses(outcome: Outcome) -> dict[str, dict[str, str]]:
    return {each["subject"]: each for each in json.loads(outcome.out)["diagnoses"]}


def test_a_mirror_that_answers_is_well(run: Run, mirror: str):
    found = diagnoses(run("doctor", "debian", "--mirror", mirror, "--format", "json"))
    assert found["Debian's archive"]["state"] == "ok"
    assert found["Debian's archive"]["found"] == f"{mirror} answers"


def test_a_mirror_without_the_release_is_told(run: Run, mirror: str):
    outcome = run("doctor", "debian", "--mirror", mirror, "--os-version", "bookworm", "--format", "json")
    assert outcome.status == 4
    assert "404" in diagnoses(outcome)["Debian's archive"]["found"]


def test_a_mirror_that_does_not_answer_is_told(run: Run):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/debian"
        outcome = run("doctor", "debian", "--mirror", url, "--format", "json")
    assert outcome.status == 4
    assert "Connection refused" in diagnoses(outcome)["Debian's archive"]["found"]


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999/x", "file:///nowhere/at/all", "http://a b/"])
def test_any_odd_address_is_a_complaint_and_no_crash(url: str):
    assert archive.archive_complaint(url, "dists/trixie/InRelease")


def test_a_missing_tool_is_told_with_the_command_that_installs_it(run: Run, mirror: str, monkeypatch, tools: Path):
    (tools / "mmdebstrap").unlink()
    see_only(tools, monkeypatch)
    monkeypatch.setattr(host, "host_ids", lambda: ("fedora",))
    outcome = run("doctor", "debian", "--mirror", mirror)
    assert outcome.status == 4
    assert "dnf install -y mmdebstrap" in outcome.out
    assert "This host lacks" in outcome.out.splitlines()[-1]


def test_what_a_request_does_not_need_is_optional(run: Run, mirror: str, monkeypatch, tools: Path, tmp_path: Path):
    for name in ("depmod", "cc"):
        (tools / name).unlink()
    see_only(tools, monkeypatch)
    modules = tmp_path / "modules"
    modules.mkdir()
    plain = diagnoses(run("doctor", "debian", "--mirror", mirror, "--format", "json"))
    assert (plain["depmod"]["state"], plain["cc"]["state"]) == ("optional", "optional")
    asked = ("--agent", "probe", "--kernel-modules", str(modules))
    wanted = diagnoses(run("doctor", "debian", "--mirror", mirror, *asked, "--format", "json"))
    assert (wanted["depmod"]["state"], wanted["cc"]["state"]) == ("missing", "missing")


def test_without_a_distribution_all_are_looked_at(run: Run, mirror: str):
    found = diagnoses(run("doctor", "--mirror", mirror, "--format", "json"))
    assert "Debian trixie (13)" in found
    assert "mmdebstrap" in found


def test_all_well_exits_with_0(run: Run, mirror: str, monkeypatch, tools: Path):
    monkeypatch.setattr(host, "is_root", lambda: True)
    see_only(tools, monkeypatch)
    outcome = run("doctor", "debian", "--mirror", mirror)
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1] == "This host has all that is needed."


def test_a_full_disk_and_a_foreign_machine_are_told(run: Run, mirror: str, monkeypatch):
    monkeypatch.setattr(host, "free_bytes", lambda path: 5 << 20)
    monkeypatch.setattr(
        emulation, "obstacle", lambda machine, **_: emulation.Obstacle(f"no emulator of {machine}", "get one")
    )
    found = diagnoses(run("doctor", "debian", "--mirror", mirror, "--arch", "s390x", "--format", "json"))
    assert found["free space"]["state"] == "missing"
    assert found["free space"]["found"].startswith("5 MiB for ")
    assert found["running s390x"]["state"] == "missing"
    assert found["running s390x"]["found"] == "no emulator of s390x"


def test_bad_input_is_told_as_it_is_for_a_build(spawn: Run):
    outcome = spawn("doctor", "debain")
    assert outcome.status == 2
    assert 'Did you mean "debian"?' in outcome.err


@pytest.mark.parametrize(
    ("ids", "command"),
    [
        (("debian",), "apt-get install -y kmod"),
        (("ubuntu", "debian"), "apt-get install -y kmod"),
        (("rocky", "rhel", "centos", "fedora"), "dnf install -y kmod"),
        (("alpine",), "apk add kmod"),
        (("opensuse-leap", "suse", "opensuse"), "zypper install -y kmod"),
        (("arch",), "pacman -S --needed kmod"),
        (("plan9",), "install depmod: no package of this host's distribution is known to bring it"),
    ],
)
def test_the_command_suits_the_hosts_distribution(monkeypatch: pytest.MonkeyPatch, ids, command: str):
    monkeypatch.setattr(host, "host_ids", lambda: ids)
    monkeypatch.setattr(host, "is_root", lambda: True)
    assert host.install_command([doctor.DEPMOD]) == command
    monkeypatch.setattr(host, "is_root", lambda: False)
    assert host.install_command([doctor.DEPMOD]) in (f"sudo {command}", command)


def test_several_tools_are_one_command_and_each_package_is_named_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host, "host_ids", lambda: ("debian",))
    monkeypatch.setattr(host, "is_root", lambda: True)
    modprobe = Tool("modprobe", {"debian": "kmod"})
    assert host.install_command([doctor.DEPMOD, modprobe, doctor.COMPILER]) == "apt-get install -y kmod gcc libc6-dev"


def test_a_tool_that_the_hosts_distribution_does_not_package_is_told_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host, "host_ids", lambda: ("alpine",))
    words = host.install_command([Tool("mmdebstrap", {"debian": "mmdebstrap"}), doctor.DEPMOD])
    assert words.startswith("install mmdebstrap: no package")


def test_rights_are_tried_out_and_not_believed():
    refused = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode
    assert host.can_make_mount_namespace() == (refused == 0) or not host.is_root()


def test_openat2_is_tried_out():
    assert isinstance(host.has_openat2(), bool)
    before = set(os.listdir("/proc/self/fd"))
    host.has_openat2()
    assert set(os.listdir("/proc/self/fd")) == before


def test_space_is_that_of_the_nearest_parent(tmp_path: Path):
    here = host.free_bytes(tmp_path)
    below = host.free_bytes(tmp_path / "not" / "yet" / "there")
    assert here is not None
    assert below is not None
    assert abs(here - below) < 1 << 30


def test_the_same_finding_is_told_once_and_optional_things_do_not_count():
    well = Diagnosis("a", State.WELL, "x", "p")
    optional = Diagnosis("b", State.OPTIONAL, "x", "p")
    lacking = Diagnosis("c", State.LACKING, "x", "p")
    assert doctor.is_ready([well, optional])
    assert not doctor.is_ready([well, lacking])


def test_an_engine_that_hangs_or_fails_is_described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name, body in (("docker", "echo cannot connect >&2; exit 1"), ("podman", "sleep 60")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(host, "ENGINE_SECONDS", 1)
    engine, found = host.answering_engine()
    assert engine is None
    assert found == "docker: cannot connect; podman: no answer within 1 s"


@pytest.mark.parametrize("columns", [80, 160])
def test_the_table_fits_the_screen(run: Run, mirror: str, monkeypatch: pytest.MonkeyPatch, columns: int):
    monkeypatch.setenv("COLUMNS", str(columns))
    table = run("doctor", "debian", "--mirror", mirror).out.split("\n\n")[0]
    assert max(map(len, table.splitlines())) <= columns


def test_it_works_without_apt(mirror: str, tmp_path: Path, clean_environment: None):
    done = subprocess.run(
        command_line("doctor", "debian", "--format", "json"),
        env={**os.environ, "PATH": str(tmp_path), "PYTHONPATH": str(PACKAGE_PARENT)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = {each["subject"]: each for each in json.loads(done.stdout)["diagnoses"]}
    assert found["Debian's archive"]["state"] == "optional"
    assert done.stderr == ""
