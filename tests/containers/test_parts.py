"""The parts of a build in a container that need no engine: addresses, facts, recipes, the script."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from rootfs_kit.axes import InitMode
from rootfs_kit.backends import Command, Plan, Tool
from rootfs_kit.distro import Distro
from rootfs_kit.distro.search import discover, find_distro
from rootfs_kit.engines import Workbench
from rootfs_kit.engines.container import facts, script
from rootfs_kit.engines.container.client import Client, client_at
from rootfs_kit.engines.container.engine import ContainerEngine, confinement, place_for_the_tree
from rootfs_kit.engines.container.facts import Facts, require_usable
from rootfs_kit.engines.container.image import based_on, recipe
from rootfs_kit.errors import BuildFailed, HostLacks, UsageError
from rootfs_kit.monitor import SilentMonitor
from rootfs_kit.request import BuildRequest
from rootfs_kit.run import Output, build_log
from tests.support.config_scripts import describe

DOCKER = Client("docker")
GOOD = Facts((24, 0), "runc", 8 << 30, frozenset())


@pytest.mark.parametrize(
    ("address", "argv"),
    [
        ("docker", ("docker", "ps")),
        ("docker:ssh://build@host", ("docker", "--host", "ssh://build@host", "ps")),
        ("podman", ("podman", "ps")),
        ("podman:unix:///run/p.sock", ("podman", "--remote", "--url", "unix:///run/p.sock", "ps")),
    ],
)
def test_a_client_speaks_to_the_service_at_its_address(address: str, argv: tuple[str, ...]):
    client = client_at(address)
    assert client.command("ps").argv == argv
    assert client.name == address


def test_what_is_no_address_is_refused():
    with pytest.raises(UsageError, match="no address of a container engine"):
        client_at("dockr:ssh://host")


def test_facts_of_dockers_are_read():
    document = {
        "ServerVersion": "20.10.24+dfsg1", "DefaultRuntime": "runc", "MemTotal": 1 << 33,
        "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default", "name=selinux"],
        "Architecture": "aarch64",
    }  # fmt: skip
    found = facts._docker_facts(document)
    assert found == Facts((20, 10), "runc", 1 << 33, frozenset({"apparmor", "seccomp", "selinux"}), "aarch64")


def test_facts_of_podmans_are_read():
    document = {
        "version": {"Version": "4.3.1"},
        "host": {
            "ociRuntime": {"name": "crun"}, "memTotal": 1 << 33, "arch": "arm64",
            "security": {"apparmorEnabled": False, "selinuxEnabled": True, "rootless": True},
        },
    }  # fmt: skip
    assert facts._podman_facts(document) == Facts(
        (4, 3), "crun", 1 << 33, frozenset({"selinux", "rootless"}), "aarch64"
    )


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Facts((1, 11), "runc", 0, frozenset()), "its version is 1.11"),
        (Facts((24, 0), "kata-runtime", 0, frozenset()), 'its runtime is "kata-runtime"'),
        (Facts((), "runc", 0, frozenset()), "its version is unknown"),
    ],
)
def test_an_engine_that_will_not_do_is_refused(found: Facts, told: str):
    with pytest.raises(HostLacks, match=told):
        require_usable(DOCKER, found, None)


def test_a_runtime_that_was_named_counts_instead_of_the_default():
    require_usable(DOCKER, Facts((24, 0), "kata-runtime", 0, frozenset()), "runc")
    with pytest.raises(HostLacks):
        require_usable(DOCKER, GOOD, "kata-runtime")


def test_security_modules_let_the_mounts_of_a_build_pass():
    assert confinement(DOCKER, GOOD) == ()
    both = Facts((24, 0), "runc", 0, frozenset({"apparmor", "selinux"}))
    assert confinement(DOCKER, both) == ("--security-opt", "apparmor=unconfined", "--security-opt", "label=disable")
    rootless = Facts((4, 3), "crun", 0, frozenset({"rootless"}))
    assert confinement(Client("podman"), rootless) == ("--security-opt", "unmask=ALL")


def test_the_tree_is_in_memory_where_the_engine_has_enough():
    assert place_for_the_tree(GOOD)[0] == "--tmpfs"
    assert place_for_the_tree(Facts((24, 0), "runc", 1 << 30, frozenset())) == ("--volume", "/rootfs")


@pytest.mark.parametrize(
    ("image", "registry", "name"),
    [
        ("debian:trixie-slim", None, "docker.io/debian:trixie-slim"),
        ("debian:trixie-slim", "registry.example:5000/mirror", "registry.example:5000/mirror/debian:trixie-slim"),
        ("quay.io/fedora/fedora:43", None, "quay.io/fedora/fedora:43"),
        ("quay.io/fedora/fedora:43", "registry.example", "registry.example/fedora/fedora:43"),
        ("opensuse/leap:15.6", None, "docker.io/opensuse/leap:15.6"),
    ],
)
def test_base_images_come_from_the_registry_that_was_named(image: str, registry: str | None, name: str):
    assert based_on(image, registry) == name


def test_an_image_is_known_by_all_that_it_is_built_from(tmp_path: Path):
    debian, request = find_distro("debian"), BuildRequest(tmp_path, distro="debian", arch="x86_64")
    one, other = recipe(debian, request, None), recipe(debian, request, "registry.example")
    assert one.dockerfile.splitlines()[0] == "FROM docker.io/debian:trixie-slim"
    assert "install -y --no-install-recommends mmdebstrap" in one.dockerfile
    assert one.tag == recipe(debian, request, None).tag
    assert one.tag != other.tag
    assert one.tag.startswith("localhost/rootfs-kit-builder-debian:")


def test_a_description_without_a_builder_image_is_told_what_it_lacks(tmp_path: Path):
    distro = find_distro("debian")._replace(builder=None)
    with pytest.raises(UsageError) as caught:
        recipe(distro, BuildRequest(tmp_path, distro="debian"), None)
    assert caught.value.found == f"{distro.directory}/distro.toml: it has no [builder]"
    assert caught.value.hint.startswith("Add one (image, install and packages), give an image ")


def test_a_config_script_without_a_dockerfile_is_told_of_that(tmp_path: Path):
    directory = describe(tmp_path / "awesome")
    distro, request = find_distro(str(directory)), BuildRequest(tmp_path, arch="x86_64")
    with pytest.raises(UsageError) as caught:
        recipe(distro, request, None)
    assert caught.value.found == f"{directory}/config.sh: there is no Dockerfile.in beside it"
    assert "distro.toml" not in str(caught.value)
    assert "[builder]" not in str(caught.value)
    assert "--builder-image" in caught.value.hint
    (directory / "Dockerfile.in").write_text("FROM base\n")
    assert recipe(find_distro(str(directory)), request, None).dockerfile == "FROM base\n"


@pytest.mark.parametrize("distro", [each for each in discover() if each.builder], ids=lambda distro: distro.name)
def test_every_image_has_gnu_tar(distro: Distro, tmp_path: Path):
    """Debian's and Ubuntu's have it without being asked: it is an essential package there."""
    agent_init = InitMode.SYSTEMD not in distro.init_modes
    made = recipe(distro, BuildRequest(tmp_path, distro=distro.name, agent_init=agent_init), None)
    assert "apt-get install" in made.dockerfile or "tar" in made.dockerfile.split()


def _run(text: str, directory: Path, path: str = os.environ["PATH"]) -> subprocess.Popen[str]:
    file = directory / "run"
    file.write_text(text)
    return subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", "sh", str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, errors="surrogateescape", env={**os.environ, "PATH": path},
    )  # fmt: skip


def _said_until_the_end(process: subprocess.Popen[str]) -> str:
    """What it says for as long as somebody listens; then nobody does."""
    said = ""
    while script.ENDED not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    process.stdin.close()
    assert process.wait(timeout=30) == 143
    return said


def _plan(*commands: Command, tools: tuple[Tool, ...] = ()) -> Plan:
    return Plan(commands, tools, ())


def test_the_script_runs_the_commands_and_says_how_they_ended(tmp_path: Path):
    plan = _plan(
        Command(("printf", "%s|", "a b", "$HOME", "it's")),
        Command(("sh", "-c", 'echo "$ONE $TWO"'), {"TWO": "2 and 3"}),
    )
    with _run(script.script(plan, {"ONE": "1"}), tmp_path) as process:
        out = _said_until_the_end(process)
    assert out == f"a b|$HOME|it's|1 2 and 3\n{script.ENDED}0\n"


def test_the_first_command_that_fails_is_the_last(tmp_path: Path):
    plan = _plan(Command(("sh", "-c", "echo oops >&2; exit 7")), Command(("echo", "never")))
    with _run(script.script(plan, {}), tmp_path) as process:
        out = _said_until_the_end(process)
    assert out == f"oops\n{script.ENDED}7\n"


@pytest.mark.parametrize(
    ("tar", "complaint"),
    [
        (None, "tar: not found"),
        # What GNU tar says that was built without them; it goes on, and ends well.
        ("#!/bin/sh\necho 'tar: XATTR support is not available' >&2\n", "tar: XATTR support is not available"),
        ("#!/bin/sh\nexit 64\n", "tar ended with status 64"),
        ("#!/bin/sh\nprintf '%s\\n' 'tar: no option sort' Usage >&2; exit 1\n", "tar: no option sort"),
    ],
)
def test_without_a_fit_tar_nothing_is_begun(tmp_path: Path, tar: str | None, complaint: str):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("cat", "env", "sh", "unshare", "touch"):
        (programs / name).symlink_to(str(shutil.which(name)))
    if tar is not None:
        (programs / "tar").write_text(tar)
        (programs / "tar").chmod(0o755)
    text = script.script(_plan(Command(("touch", str(tmp_path / "begun")))), {})
    with _run(text, tmp_path, str(programs)) as process:
        out = _said_until_the_end(process)
    assert out.startswith(f"{script.ENDED}{script.UNFIT}")
    assert out.endswith(f"{complaint}\n")
    assert not (tmp_path / "begun").exists()


def test_it_ends_when_nobody_listens_any_more(tmp_path: Path):
    with _run(script.script(_plan(Command(("sleep", "300"))), {}), tmp_path) as process:
        time.sleep(0.5)
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(timeout=30) == 143


def test_a_program_may_have_another_in_its_place(tmp_path: Path):
    tool = Tool("no-such-program", {}, instead=("echo",))
    with _run(script.script(_plan(Command(("no-such-program", "said")), tools=(tool,)), {}), tmp_path) as process:
        out = _said_until_the_end(process)
    assert out == f"said\n{script.ENDED}0\n"


def test_the_plans_files_go_in_as_roots(tmp_path: Path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/ours.gpg").write_bytes(b"key")
    with tarfile.open(fileobj=io.BytesIO(script.packed("#!/bin/sh\n", tmp_path))) as archive:
        members = {member.name: member for member in archive}
        assert archive.extractfile("rootfs-kit/files/keys/ours.gpg").read() == b"key"
    assert {(member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, "")}
    assert members["rootfs-kit/run"].mode == 0o755


def test_a_client_that_answers_for_its_service_is_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\necho '{json.dumps({'ServerErrors': ['Cannot connect'], 'ServerVersion': ''})}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostLacks, match="Cannot connect"):
        facts.facts_of(DOCKER)


@pytest.mark.parametrize(("said", "told"), [(None, "ended before its work did"), (f"{script.ENDED}7", "exit status 7")])
def test_a_log_that_a_message_names_is_kept(tmp_path: Path, said: str | None, told: str):
    monitor, plan = SilentMonitor(), _plan(Command(("tool",)))
    with pytest.raises(BuildFailed, match=told) as caught, build_log(None, "test") as log:
        bench = Workbench(tmp_path / "tree", tmp_path / "scratch", tmp_path / "cache", monitor, log)
        ContainerEngine(DOCKER, None)._require_success(said, Output(plan.commands[0], monitor, log), plan, bench)
    assert str(log.path) in caught.value.hint
    assert log.path.is_file()
    log.path.unlink()
