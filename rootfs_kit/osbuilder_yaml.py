"""/var/lib/osbuilder/osbuilder.yaml, format 0.0.2: the summary that Kata's tools read back out of images and initrds.

kata-collect-data.sh prints it as it stands, so that its shape is an interface: the keys and their order, the quotes,
an empty line for an empty list, a time with nine digits (tools/osbuilder/scripts/lib.sh:157-219). What is not known
is said to be: the agent's version would take running it, and it may be built for another machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime

from rootfs_kit.distro import Distro
from rootfs_kit.request import BuildRequest

PATH = "/var/lib/osbuilder/osbuilder.yaml"
FORMAT = "0.0.2"
BUILDER = "rootfs-kit"
AGENT_HOME = "https://github.com/kata-containers/kata-containers"
UNKNOWN = "unknown"
NANOSECONDS = 1_000_000_000

TEMPLATE = """\
---
osbuilder:
  url: {builder}
  version: {version}
rootfs-creation-time: {created}
description: "osbuilder rootfs"
file-format-version: {format}
architecture: {architecture}
base-distro:
  name: {distro}
  version: {release}
  packages:
    default:
{packages}
    extra:
{extra}
agent:
  url: {agent_home}
  name: {agent}
  version: {agent_version}
  agent-is-init-daemon: {agent_init}
"""


def text(request: BuildRequest, distro: Distro | None, created: int) -> str:
    """The document for a build of `request`, made `created` nanoseconds after 1970; an overlay has no `distro`."""
    release = distro.release(request.os_version) if distro is not None else None
    asked = distro.package_reasons(request) if distro is not None else {}
    return TEMPLATE.format(
        builder=_quoted(BUILDER),
        version=_quoted(request.osbuilder_version),
        created=_quoted(timestamp(created)),
        format=_quoted(FORMAT),
        architecture=_quoted(request.arch or os.uname().machine),
        distro=_quoted(distro.name if distro is not None else ""),
        release=_quoted((release.version or release.name) if release is not None else ""),
        packages=_items(name for name, reason in asked.items() if reason != "extra"),
        extra=_items(request.extra_packages),
        agent_home=_quoted(AGENT_HOME),
        agent=_quoted(request.agent_name),
        agent_version=_quoted(UNKNOWN),
        agent_init=_quoted("yes" if request.agent_init else "no"),
    )


def timestamp(created: int) -> str:
    """As `date -u +%Y-%m-%dT%T.%N%zZ` prints it: 2026-01-31T12:00:00.000000000+0000Z."""
    seconds, nanoseconds = divmod(created, NANOSECONDS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}+0000Z"


def _items(names: Iterable[str]) -> str:
    return "\n".join(f"      - {_quoted(name)}" for name in sorted(set(names)))


def _quoted(value: str) -> str:
    """A double-quoted scalar (YAML 1.2, 7.3.1)."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
