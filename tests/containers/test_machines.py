"""Which machine a container runs on is asked of its engine: this one may be of another kind.

Here it is by personality(2): a process that setarch(8) starts sees a machine of which this kernel has no emulators.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_kit.engines.container import facts
from rootfs_kit.engines.container.client import client_at
from tests.build.builds import Mirror, differences, look
from tests.containers.conftest import SLIM
from tests.containers.services import REGISTRY, Service, second_docker
from tests.support.surroundings import clean_environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="needs a machine that can pretend to be an i686"),
]
EPOCH = "1700000000"
PRETENDING = ("setarch", "i686")
NO_EMULATOR = "no emulator of x86_64 is registered with this host's kernel"
FILLED = """
import os, sys
from pathlib import Path
from rootfs_kit.backends import Command, Plan
from rootfs_kit.engines import Workbench
from rootfs_kit.engines.container.client import client_at
from rootfs_kit.engines.container.engine import ContainerEngine
from rootfs_kit.monitor import SilentMonitor
from rootfs_kit.run import build_log

def plan(site):
    print(os.uname().machine, site.machine)
    return Plan((Command(("true",)),), (), ())

place = Path(sys.argv[3])
with build_log(place / "log", "test") as log:
    bench = Workbench(place / "tree", place / "scratch", place / "cache", SilentMonitor(), log)
    bench.scratch.mkdir()
    ContainerEngine(client_at(sys.argv[1]), None, sys.argv[2]).fill(bench, plan, None)
"""


def test_engines_say_what_their_machine_is(service: Service) -> None:
    assert facts.facts_of(client_at(service.address)).machine == os.uname().machine


def test_a_plan_is_made_for_the_machine_of_the_engine(service: Service, tmp_path: Path) -> None:
    command = (*PRETENDING, sys.executable, "-c", FILLED, service.address, f"{REGISTRY}/{SLIM}", str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["i686", "x86_64"]


@pytest.mark.skipif(shutil.which("dockerd") is None, reason="needs dockerd on PATH")
def test_an_engine_elsewhere_needs_no_emulator_here(mirror: Mirror, base_tree: Path, tmp_path: Path) -> None:
    wanted = ("-q", "--arch", "x86_64")
    here = mirror.build(tmp_path / "here", *wanted, "--engine", "host", before=PRETENDING)
    assert here.status == 4
    assert NO_EMULATOR in here.err
    with second_docker() as elsewhere:
        elsewhere.import_image(base_tree, SLIM)
        engine = ("--engine", elsewhere.address, "--image-registry", REGISTRY)
        done = mirror.build(
            tmp_path / "rootfs", *wanted, *engine, before=PRETENDING, seconds=300, SOURCE_DATE_EPOCH=EPOCH
        )
        asked = doctor(mirror, elsewhere.address, tmp_path)
    assert done.status == 0, done.err
    on_host = mirror.build(tmp_path / "on-host", *wanted, "--engine", "host", SOURCE_DATE_EPOCH=EPOCH)
    assert on_host.status == 0, on_host.err
    assert differences(look(tmp_path / "rootfs"), look(tmp_path / "on-host")) == []
    assert asked["state"] == "ok"
    assert elsewhere.address in asked["found"]
    assert doctor(mirror, "host", tmp_path)["found"] == NO_EMULATOR


def doctor(mirror: Mirror, engine: str, place: Path) -> dict[str, str]:
    """What the doctor finds of the machine that is built for, on one that seems to be another."""
    (place / "build.toml").write_text(f'distro = "debian"\nengine = "{engine}"\narch = "x86_64"\n')
    done = subprocess.run(
        [*PRETENDING, sys.executable, "-m", "rootfs_kit", "doctor", "--format", "json", "--mirror", mirror.url,
         "--config", str(place / "build.toml"), "--distros-dir", str(mirror.distros)],
        env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found: dict[str, dict[str, str]] = {each["subject"]: each for each in json.loads(done.stdout)["diagnoses"]}
    return found["running x86_64"]
