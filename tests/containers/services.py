"""The container engines of this machine, and others that tests start for themselves and may end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REGISTRY = "localhost/rootfs-kit-tests"
SECONDS = 60


@dataclass(frozen=True)
class Service:
    """A container engine that answers at `address`, as `--engine` names it; `client` is how it is spoken to."""

    address: str
    client: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None

    def ask(self, *arguments: str, stdin: Path | None = None) -> str:
        with open(stdin or os.devnull, "rb") as given:
            done = subprocess.run([*self.client, *arguments], stdin=given, capture_output=True, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stderr.decode(errors='replace')}"
        return done.stdout.decode().strip()

    def containers(self) -> list[str]:
        return self.ask("ps", "--all", "--quiet").split()

    def volumes(self) -> list[str]:
        return self.ask("volume", "ls", "--quiet").split()

    def import_image(self, tree: Path, tag: str) -> str:
        """The image `tag` of the registry of the tests, made of a tar of its tree."""
        name = f"{REGISTRY}/{tag}"
        self.ask("import", "-", name, stdin=tree)
        return name


def answers(*client: str) -> bool:
    if shutil.which(client[0]) is None:
        return False
    try:
        return subprocess.run([*client, "ps"], capture_output=True, timeout=SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def containers_conf(directory: Path) -> Path:
    """What lets Podman run where tests run: in a virtual machine or container without the right to raise limits, and
    with control groups of the older kind, which crun does not take."""
    runtime = "crun" if Path("/sys/fs/cgroup/cgroup.controllers").exists() and shutil.which("crun") else "runc"
    conf = directory / "containers.conf"
    conf.write_text(
        "[containers]\ndefault_ulimits = []\n"
        f'[engine]\nruntime = "{runtime}"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    conf.chmod(0o644)
    return conf


@contextmanager
def second_docker() -> Iterator[Service]:
    """A Docker Engine of the test's own, with a state of its own, that listens on a port of 127.0.0.1."""
    place = Path(tempfile.mkdtemp(prefix="rootfs-kit-docker-"))
    port = _free_port()
    # Which driver works here is known to who set up the engine of this machine.
    driver = Service("docker", ("docker",)).ask("info", "--format", "{{.Driver}}") if answers("docker") else ""
    (place / "daemon.json").write_text(json.dumps({"storage-driver": driver} if driver else {}))
    command = [
        "dockerd", f"--config-file={place}/daemon.json", f"--host=tcp://127.0.0.1:{port}",
        f"--data-root={place}/data", f"--exec-root={place}/exec", f"--pidfile={place}/pid", "--bridge=none",
        "--iptables=false", "--ip6tables=false", "--tls=false", f"--containerd-namespace=tests-{port}",
        f"--containerd-plugins-namespace=tests-plugins-{port}",
    ]  # fmt: skip
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    url = f"tcp://127.0.0.1:{port}"
    try:
        _wait_for(process, ("docker", "--host", url), place / "log")
        yield Service(f"docker:{url}", ("docker", "--host", url), process)
    finally:
        _end(process)
        _unmount_below(place)
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def podman_service() -> Iterator[Service]:
    """Podman as a service on a port of 127.0.0.1; it shares the images of this machine's Podman."""
    port = _free_port()
    url = f"tcp://127.0.0.1:{port}"
    process = subprocess.Popen(
        ["podman", "system", "service", "--time=0", url],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    client = ("podman", "--remote", "--url", url)
    try:
        _wait_for(process, client, None)
        yield Service(f"podman:{url}", client, process)
    finally:
        _end(process)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_for(process: subprocess.Popen[bytes], client: Sequence[str], log: Path | None) -> None:
    until = time.monotonic() + SECONDS
    while not answers(*client):
        said = log.read_text(errors="replace")[-2000:] if log else ""
        assert process.poll() is None, f"it ended: {said}"
        assert time.monotonic() < until, f"it does not answer: {said}"
        time.sleep(0.2)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _unmount_below(place: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((each for each in mounts if each.startswith(f"{place}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False)
