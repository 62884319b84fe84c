"""Builds in containers that are stopped at random moments, or whose engine dies under them: nothing is left behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.build.builds import Mirror, left_behind, processes_that_name
from tests.containers.conftest import SLIM
from tests.containers.services import REGISTRY, Service, second_docker

pytestmark = [pytest.mark.slow, pytest.mark.network]

TRIES = 20
PATIENCE = 60.0
"""Seconds in which a container of a build that was killed is gone; it is told by the end of its input."""


def arguments(service: Service) -> tuple[str, ...]:
    return ("-q", "--engine", service.address, "--image-registry", REGISTRY)


@pytest.fixture
def seconds_of_a_build(mirror: Mirror, service: Service, tmp_path: Path) -> float:
    """How long a build takes here once the builder image is there."""
    assert mirror.build(tmp_path / "first", *arguments(service), seconds=600).status == 0
    begun = time.monotonic()
    assert mirror.build(tmp_path / "second", *arguments(service), seconds=600).status == 0
    return time.monotonic() - begun


def wait_until_gone(service: Service) -> None:
    until = time.monotonic() + PATIENCE
    while service.containers() and time.monotonic() < until:
        time.sleep(0.2)
    assert service.containers() == []


def test_stopped_at_any_moment_it_leaves_no_container_and_no_half_tree(
    mirror: Mirror, service: Service, seconds_of_a_build: float, tmp_path: Path
) -> None:
    moments = random.Random(7)
    target = tmp_path / "rootfs"
    for number in range(TRIES):
        how = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)[number % 3]
        with mirror.start(target, *arguments(service)) as process:
            try:
                process.wait(timeout=moments.uniform(0, seconds_of_a_build))
            except subprocess.TimeoutExpired:
                process.send_signal(how)
            process.communicate(timeout=PATIENCE)
        wait_until_gone(service)
        assert not processes_that_name(str(target)), how
        if target.exists():
            assert (target / "usr/bin/kata-agent").is_file(), how
            assert (target / "var/lib/osbuilder/manifest.json").is_file(), how
        if how is signal.SIGKILL:
            # The next build would clear it; but the next one may be stopped before it comes to that.
            shutil.rmtree(tmp_path / ".rootfs.rootfs-kit", ignore_errors=True)
        assert left_behind(target) == [], how
    done = mirror.build(target, *arguments(service), seconds=600)
    assert done.status == 0, done.err
    assert left_behind(target) == []


@pytest.mark.skipif(shutil.which("dockerd") is None, reason="needs dockerd on PATH")
def test_an_engine_that_dies_ends_the_build_in_words(mirror: Mirror, base_tree: Path, tmp_path: Path) -> None:
    target = tmp_path / "rootfs"
    with second_docker() as elsewhere:
        elsewhere.import_image(base_tree, SLIM)
        assert mirror.build(tmp_path / "first", *arguments(elsewhere), seconds=600).status == 0
        with mirror.start(target, *arguments(elsewhere)) as process:
            until = time.monotonic() + PATIENCE
            while not elsewhere.containers() and time.monotonic() < until:
                time.sleep(0.05)
            assert elsewhere.process is not None
            os.killpg(elsewhere.process.pid, signal.SIGKILL)
            _, err = process.communicate(timeout=PATIENCE * 2)
        assert process.returncode in (3, 4), err
        assert err.startswith("rootfs-kit: "), err
        assert "docker" in err
    assert not target.exists()
    assert left_behind(target) == []


def test_what_an_earlier_build_left_in_the_engine_goes_first(mirror: Mirror, docker: Service, tmp_path: Path) -> None:
    from rootfs_kit.engines.container.engine import LABEL, label_of

    target = tmp_path / "rootfs"
    tree = tmp_path / ".rootfs.rootfs-kit/work/tree"
    docker.ask(
        "create", "--name", "rootfs-kit-left", "--label", f"{LABEL}={label_of(tree)}", f"{REGISTRY}/{SLIM}", "true"
    )
    done = mirror.build(target, *arguments(docker), seconds=600)
    assert done.status == 0, done.err
    assert docker.containers() == []
