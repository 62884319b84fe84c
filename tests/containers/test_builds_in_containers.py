"""The package manager in a container, the rest here: the result is what a build on this host gives."""

from __future__ import annotations

import json
import shutil
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from tests.build.builds import Mirror, Outcome, differences, left_behind, look
from tests.containers.conftest import SLIM
from tests.containers.services import REGISTRY, Service, podman_service, second_docker
from tests.support.debian_archive import served

pytestmark = [pytest.mark.slow, pytest.mark.network]
EPOCH = "1700000000"


class Proxy(SimpleHTTPRequestHandler):
    """Has the archive itself, whichever mirror is asked for through it; `agents` are the programs that asked."""

    agents: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.agents.append(self.headers.get("User-Agent", ""))
        self.path = urlsplit(self.path).path
        super().do_GET()


def build(mirror: Mirror, service: Service, target: Path, *more: str, **environ: str) -> Outcome:
    return mirror.build(
        target, "--engine", service.address, "--image-registry", REGISTRY, *more, seconds=300, **environ
    )


@pytest.fixture(scope="module")
def on_host(mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("host") / "rootfs"
    done = mirror.build(target, "-q", "--engine", "host", SOURCE_DATE_EPOCH=EPOCH)
    assert done.status == 0, done.err
    return target


def test_the_tree_is_the_one_that_the_host_builds(
    mirror: Mirror, service: Service, on_host: Path, tmp_path: Path
) -> None:
    target = tmp_path / "rootfs"
    done = build(mirror, service, target, "-q", SOURCE_DATE_EPOCH=EPOCH)
    assert (done.status, done.out) == (0, ""), done.err
    assert differences(look(target), look(on_host)) == []
    assert left_behind(target) == []


def test_the_builder_image_is_made_once_and_found_again(mirror: Mirror, service: Service, tmp_path: Path) -> None:
    assert build(mirror, service, tmp_path / "one", "-q").status == 0
    images = service.ask("images", "--quiet")
    again = build(mirror, service, tmp_path / "two")
    assert again.status == 0, again.err
    assert "building the image" not in again.err
    assert service.ask("images", "--quiet") == images


def test_a_ready_image_is_taken_as_it_is(mirror: Mirror, service: Service, tmp_path: Path) -> None:
    assert build(mirror, service, tmp_path / "first", "-q").status == 0
    names = service.ask("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    image = next(name for name in names if name.startswith("localhost/rootfs-kit-builder-debian:"))
    done = mirror.build(tmp_path / "rootfs", "--json", "--engine", service.address, "--builder-image", image)
    assert done.status == 0, done.err
    assert json.loads(done.out)["checks"]["failed"] == 0


def test_an_image_without_the_package_manager_is_told(mirror: Mirror, service: Service, tmp_path: Path) -> None:
    image = f"{REGISTRY}/{SLIM}"
    done = mirror.build(tmp_path / "rootfs", "--engine", service.address, "--builder-image", image)
    assert done.status == 3
    assert "mmdebstrap" in done.err
    assert "127" in done.err
    assert not (tmp_path / "rootfs").exists()


def test_the_package_managers_last_words_are_told(mirror: Mirror, service: Service, tmp_path: Path) -> None:
    done = build(mirror, service, tmp_path / "rootfs", "--extra-pkgs", "no-such-package")
    assert done.status == 3
    assert "no-such-package" in done.err
    assert "The whole output is in " in done.err
    assert not (tmp_path / "rootfs").exists()
    assert left_behind(tmp_path / "rootfs") == []


def test_proxies_reach_the_container(mirror: Mirror, docker: Service, tmp_path: Path) -> None:
    with served(mirror.archive.directory, Proxy) as proxy:
        asked = build(mirror, docker, tmp_path / "one", "-q", http_proxy=proxy, no_proxy="")
    assert asked.status == 0, asked.err
    assert any("APT" in agent for agent in Proxy.agents), Proxy.agents
    passed_by = build(mirror, docker, tmp_path / "two", "-q", http_proxy="http://127.0.0.1:9/", no_proxy="127.0.0.1")
    assert passed_by.status == 0, passed_by.err


def test_a_relative_path_is_a_directory_here(mirror: Mirror, docker: Service, tmp_path: Path) -> None:
    arguments = [*mirror.arguments(tmp_path / "x", "--engine", "docker", "--image-registry", REGISTRY), "-q"]
    arguments[arguments.index(str(tmp_path / "x"))] = "relative/rootfs"
    done = mirror.run(arguments, tmp_path / "x", seconds=300)
    assert done.status == 0, done.err
    assert (tmp_path / "relative/rootfs/usr/bin/kata-agent").is_file()


def test_osbuilders_variables_ask_for_it_too(mirror: Mirror, docker: Service, on_host: Path, tmp_path: Path) -> None:
    done = mirror.build(
        tmp_path / "rootfs", "-q", USE_DOCKER="true", IMAGE_REGISTRY=REGISTRY, DOCKER_RUNTIME="runc",
        SOURCE_DATE_EPOCH=EPOCH,
    )  # fmt: skip
    assert done.status == 0, done.err
    assert differences(look(tmp_path / "rootfs"), look(on_host)) == []


def test_without_the_tools_the_engine_that_answers_is_taken(
    mirror: Mirror, docker: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for directory in ("/usr/bin", "/usr/sbin", "/bin", "/sbin"):
        for program in Path(directory).iterdir():
            if program.name not in ("mmdebstrap", "podman") and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    hidden = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /usr/bin/mmdebstrap; exec "$@"', "sh"]
    done = mirror.build(
        tmp_path / "rootfs", "--json", "--image-registry", REGISTRY, before=hidden, PATH=str(tools), seconds=300
    )
    assert done.status == 0, done.err
    assert json.loads(done.out)["checks"]["failed"] == 0


def test_a_runtime_with_a_kernel_of_its_own_is_refused(mirror: Mirror, docker: Service, tmp_path: Path) -> None:
    done = build(mirror, docker, tmp_path / "rootfs", DOCKER_RUNTIME="kata-runtime")
    assert done.status == 4
    assert 'its runtime is "kata-runtime"' in done.err


def test_a_mirror_on_this_hosts_disk_is_refused(mirror: Mirror, docker: Service, tmp_path: Path) -> None:
    done = build(mirror, docker, tmp_path / "rootfs", "--mirror", f"file://{mirror.archive.directory}")
    assert done.status == 2
    assert "the container sees nothing of it" in done.err


def test_an_engine_that_does_not_answer_is_told(mirror: Mirror, docker: Service, tmp_path: Path) -> None:
    done = mirror.build(tmp_path / "rootfs", "--engine", "docker:tcp://127.0.0.1:9")
    assert done.status == 4
    assert "docker:tcp://127.0.0.1:9" in done.err
    assert "docker info" in done.err


@pytest.mark.skipif(shutil.which("dockerd") is None, reason="needs dockerd on PATH")
def test_a_docker_engine_elsewhere_builds_the_same(
    mirror: Mirror, base_tree: Path, on_host: Path, tmp_path: Path
) -> None:
    with second_docker() as elsewhere:
        elsewhere.import_image(base_tree, SLIM)
        done = build(mirror, elsewhere, tmp_path / "rootfs", "-q", SOURCE_DATE_EPOCH=EPOCH)
        assert done.status == 0, done.err
        by_variable = mirror.build(
            tmp_path / "other", "-q", "--engine", "docker", "--image-registry", REGISTRY, SOURCE_DATE_EPOCH=EPOCH,
            DOCKER_HOST=elsewhere.address.removeprefix("docker:"),
        )  # fmt: skip
        assert by_variable.status == 0, by_variable.err
        assert elsewhere.containers() == []
        assert elsewhere.volumes() == []
    assert differences(look(tmp_path / "rootfs"), look(on_host)) == []
    assert differences(look(tmp_path / "other"), look(on_host)) == []


def test_a_podman_service_builds_the_same(mirror: Mirror, podman: Service, on_host: Path, tmp_path: Path) -> None:
    with podman_service() as elsewhere:
        done = build(mirror, elsewhere, tmp_path / "rootfs", "-q", SOURCE_DATE_EPOCH=EPOCH)
        assert done.status == 0, done.err
        assert elsewhere.containers() == []
    assert differences(look(tmp_path / "rootfs"), look(on_host)) == []
