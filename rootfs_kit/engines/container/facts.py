"""What a container engine says of itself, and whether a build can be run there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from rootfs_kit.engines.container.client import Client
from rootfs_kit.errors import HostLacks

OLDEST_DOCKER = (1, 12)
"""What osbuilder asks for; before it, `docker info` does not say what the runtime is."""
OLDEST_PODMAN = (3, 0)
"""The first with `--security-opt unmask`, which mounting /proc in a rootless container needs."""
RUNTIMES = ("runc", "crun")
"""Runtimes that share the kernel. In one that brings its own (kata-runtime) the mounts of a build do not work."""
INFO_SECONDS = 20
KERNELS_NAMES = {"amd64": "x86_64", "arm64": "aarch64", "arm": "armv7l", "386": "i686", "loong64": "loongarch64"}
"""Podman says GOARCH, and Docker what `uname -m` does; the kernel's name of those machines where Go has another."""


@dataclass(frozen=True)
class Facts:
    """`memory` is in bytes; `security` names what confines containers there: apparmor, selinux, seccomp, rootless.

    `machine` is the kernel's name of the one that containers run on, empty where the engine does not say.
    """

    version: tuple[int, ...]
    runtime: str
    memory: int
    security: frozenset[str]
    machine: str = ""


def facts_of(client: Client) -> Facts:
    """Raises HostLacks where no engine answers."""
    answer = client.ask("info", "--format", "json" if client.is_podman else "{{json .}}", seconds=INFO_SECONDS)
    document = _document(answer.out)
    complaint = _complaint(document) or (answer.last_words if answer.status != 0 or not document else "")
    if complaint:
        raise HostLacks(
            f"asking {client.name} what it is",
            complaint,
            f"Start its service and see that `{client.program} info` works for this user, or choose another --engine.",
        )
    return _podman_facts(document) if client.is_podman else _docker_facts(document)


def require_usable(client: Client, facts: Facts, runtime: str | None) -> None:
    """Raise HostLacks for an engine that is too old, or whose runtime does not share the kernel."""
    oldest = OLDEST_PODMAN if client.is_podman else OLDEST_DOCKER
    if facts.version < oldest:
        raise HostLacks(
            f"looking at {client.name}",
            f"its version is {_dotted(facts.version)}",
            f"Upgrade it to {_dotted(oldest)} or later.",
        )
    chosen = runtime or facts.runtime
    if chosen not in RUNTIMES:
        raise HostLacks(
            f"looking at {client.name}",
            f'its runtime is "{chosen}", and a build needs one that shares the kernel',
            "Set DOCKER_RUNTIME=runc (or crun), or make that the engine's default runtime.",
        )


def _document(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _complaint(document: dict[str, Any]) -> str:
    """Docker's client answers for itself where the service does not, and says so in a list."""
    errors = document.get("ServerErrors") or []
    return str(errors[0]) if errors else ""


def _docker_facts(document: dict[str, Any]) -> Facts:
    options = [str(option) for option in document.get("SecurityOptions") or []]
    return Facts(
        _version(str(document.get("ServerVersion", ""))),
        str(document.get("DefaultRuntime", "")),
        int(document.get("MemTotal") or 0),
        frozenset(option.partition("name=")[2].partition(",")[0] or option for option in options),
        _machine(document.get("Architecture")),
    )


def _podman_facts(document: dict[str, Any]) -> Facts:
    host = document.get("host") or {}
    security = host.get("security") or {}
    switches = {"apparmor": "apparmorEnabled", "selinux": "selinuxEnabled", "rootless": "rootless"}
    return Facts(
        _version(str((document.get("version") or {}).get("Version", ""))),
        str((host.get("ociRuntime") or {}).get("name", "")),
        int(host.get("memTotal") or 0),
        frozenset(name for name, key in switches.items() if security.get(key)),
        _machine(host.get("arch")),
    )


def _machine(said: object) -> str:
    name = str(said or "")
    return KERNELS_NAMES.get(name, name)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version)) or "unknown"
