"""The builder image: a distribution's own base image with its package manager's tools, and nothing else.

It is built once, and found again by the digest of what it is built from.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from dataclasses import dataclass, replace

from rootfs_kit.backends.shell import dockerfile
from rootfs_kit.distro import Distro
from rootfs_kit.distro.config_script import DOCKERFILE
from rootfs_kit.distro.places import CONFIG_SCRIPT, DESCRIPTION
from rootfs_kit.engines.container.client import Client
from rootfs_kit.errors import HostLacks, UsageError
from rootfs_kit.monitor import Monitor
from rootfs_kit.request import BuildRequest
from rootfs_kit.run import Log, proxies, run

REGISTRY = "docker.io"
"""Where osbuilder's Dockerfiles have their base images from; IMAGE_REGISTRY names another."""

PULLING_SECONDS = 600

# How a Dockerfile.in of osbuilder's takes its registry; the default that it gives is in the way of another.
_ARGUMENT = re.compile(r"(?<=^ARG IMAGE_REGISTRY=)\S*", re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """What an image is built from."""

    distro: str
    dockerfile: str

    @property
    def tag(self) -> str:
        digest = hashlib.sha256(self.dockerfile.encode()).hexdigest()[:16]
        return f"localhost/rootfs-kit-builder-{self.distro}:{digest}"


def recipe(distro: Distro, request: BuildRequest, registry: str | None) -> Recipe:
    """The recipe of the builder image for `request`. Raises UsageError for a distribution that describes none."""
    text = dockerfile(request, distro)
    if text is not None:
        return Recipe(distro.name, _ARGUMENT.sub(registry, text) if registry else text)
    builder = distro.builder
    if builder is None:
        raise _without_recipe(distro)
    base = based_on(distro.filled_in(builder.image, request), registry)
    install = builder.install.replace("{packages}", " ".join(builder.packages))
    return Recipe(distro.name, f"FROM {base}\nRUN {install}\n")


def _without_recipe(distro: Distro) -> UsageError:
    described = distro.directory / (CONFIG_SCRIPT if distro.script else DESCRIPTION)
    lacking, mend = "it has no [builder]", "Add one (image, install and packages)"
    if distro.script is not None:
        lacking, mend = f"there is no {DOCKERFILE} beside it", f"Add a {DOCKERFILE} that installs what it needs"
    return UsageError(
        f"planning a builder image for {distro.title}",
        f"{described}: {lacking}",
        f"{mend}, give an image that has the package manager with --builder-image, or use --engine host.",
    )


def based_on(image: str, registry: str | None) -> str:
    """The full name of a base image: in `registry` where that is given, else in its own, or in Docker's."""
    host, slash, rest = image.partition("/")
    has_host = bool(slash) and ("." in host or ":" in host or host == "localhost")
    if not has_host:
        return f"{registry or REGISTRY}/{image}"
    return f"{registry}/{rest}" if registry else image


def provide(client: Client, wanted: Recipe, monitor: Monitor, log: Log) -> str:
    """The tag of the image, which is built where the engine does not have it yet. Raises BuildFailed."""
    if has_image(client, wanted.tag):
        return wanted.tag
    monitor.note(f"building the image {wanted.tag}; the next build finds it")
    through = [argument for name in proxies() for argument in ("--build-arg", name)]
    command = client.command(
        "build", "--network", "host", *through, "--tag", wanted.tag, "-",
        stdin=wanted.dockerfile.encode(), environment=_builder_of(client),
    )  # fmt: skip
    # Whatever it says when it fails, no other mirror of packages would help.
    run(replace(command, futile=("",)), monitor, log)
    return wanted.tag


def fetch(client: Client, tag: str, monitor: Monitor) -> str:
    """The image that was named, which the engine pulls where it does not have it yet. Raises HostLacks."""
    if has_image(client, tag):
        return tag
    monitor.note(f"pulling the image {tag}")
    answer = client.ask("pull", tag, seconds=PULLING_SECONDS)
    if answer.status != 0:
        listing = shlex.join(client.command("image", "ls").argv)
        raise HostLacks(
            f"looking for the image {tag}",
            f"{client.name} has no such image, and cannot pull it: {answer.last_words}",
            f"Name one that `{listing}` lists or that can be pulled: --builder-image IMAGE; or leave that out, for an "
            "image that is built of the distribution's own description.",
        )
    return tag


def has_image(client: Client, tag: str) -> bool:
    return client.ask("image", "inspect", "--format", "{{.Id}}", tag).status == 0


def _builder_of(client: Client) -> dict[str, str]:
    """Docker's client wants BuildKit, and where its plugin is not installed does nothing at all."""
    if client.is_podman or "DOCKER_BUILDKIT" in os.environ or client.ask("buildx", "version").status == 0:
        return {}
    return {"DOCKER_BUILDKIT": "0"}
