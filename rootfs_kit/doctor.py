"""`rootfs-kit doctor`: what this host lacks for a build, each with the command that mends it.

What is optional is told and does not count: the probe agent's compiler for a build with a real agent, for instance.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from rootfs_kit import host
from rootfs_kit.archive import archive_complaint, archives_of_apt
from rootfs_kit.backends import Plan, Tool
from rootfs_kit.backends.registry import find_backend
from rootfs_kit.distro import listed
from rootfs_kit.engines import Engine
from rootfs_kit.engines.choice import choose_engine
from rootfs_kit.engines.host import find_tool
from rootfs_kit.errors import HostLacks, UsageError
from rootfs_kit.host import emulation
from rootfs_kit.host.subids import SUBGID, SUBUID, command_to_add, largest_range
from rootfs_kit.mirrors import mirrors_of, site_to_show
from rootfs_kit.planning import PlannedBuild
from rootfs_kit.request import PROBE_AGENT
from rootfs_kit.staging import LEAST_MEMORY

MEBIBYTE = 1 << 20

# A Debian guest takes about 180 MiB with its package manager's state and some 100 MiB of packages on the way.
SPACE_NEEDED = 400 * MEBIBYTE

DEPMOD = Tool("depmod", dict.fromkeys(("debian", "fedora", "alpine", "opensuse", "arch"), "kmod"))
COMPILER = Tool(
    "cc",
    {
        "debian": "gcc libc6-dev",
        "fedora": "gcc glibc-static",
        "alpine": "gcc musl-dev",
        "opensuse": "gcc glibc-devel-static",
        "arch": "gcc",
    },
)
PODMAN = Tool("podman", dict.fromkeys(("debian", "fedora", "alpine", "opensuse", "arch"), "podman"))


class State(StrEnum):
    """What a diagnosis comes to."""

    WELL = "ok"
    LACKING = "missing"
    OPTIONAL = "optional"


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at: `purpose` says what it is for, `mend` is the command where it is lacking."""

    subject: str
    state: State
    found: str
    purpose: str
    mend: str = ""


def examine(builds: Sequence[PlannedBuild], today: date) -> list[Diagnosis]:
    """What this host has and lacks for `builds`, each thing once."""
    diagnoses = [*_rights(), *_kernel(), _engine()]
    for planned in builds:
        diagnoses += [*_tools(planned), *_space(planned), _machine(planned), _release(planned, today), _mirror(planned)]
    return list(dict.fromkeys(diagnoses))


def is_ready(diagnoses: Iterable[Diagnosis]) -> bool:
    return all(diagnosis.state is not State.LACKING for diagnosis in diagnoses)


def document(diagnoses: Sequence[Diagnosis]) -> dict[str, Any]:
    """The diagnoses for programs."""
    return {
        "ready": is_ready(diagnoses),
        "host": list(host.host_ids()),
        "diagnoses": [
            {
                "subject": each.subject,
                "state": str(each.state),
                "found": each.found,
                "purpose": each.purpose,
                "mend": each.mend,
            }
            for each in diagnoses
        ],
    }


def report(diagnoses: Sequence[Diagnosis], width: int) -> str:
    """The diagnoses as a table, and the commands that mend what is lacking, ready to be copied."""
    from tabulate import tabulate

    rows = [(each.subject, str(each.state), each.found) for each in diagnoses]
    subject = max(len(row[0]) for row in rows)
    found = max(width - subject - 12, 24)
    headers = ("what", "state", "found")
    texts = [tabulate(rows, headers, tablefmt="simple", maxcolwidths=[subject, None, found])]
    for state, title in ((State.LACKING, "Needed, and missing"), (State.OPTIONAL, "Optional")):
        unwell = [each for each in diagnoses if each.state is state]
        texts += [_advice(title, unwell)] if unwell else []
    texts.append(_conclusion(diagnoses))
    return "\n\n".join(texts)


def _advice(title: str, diagnoses: Sequence[Diagnosis]) -> str:
    lines = [f"{title}:"]
    for each in diagnoses:
        lines.append(f"  {each.subject}: {each.purpose}")
        lines += [f"      {each.mend}"] if each.mend else []
    return "\n".join(lines)


def _conclusion(diagnoses: Sequence[Diagnosis]) -> str:
    lacking = [each.subject for each in diagnoses if each.state is State.LACKING]
    return f"This host lacks {listed(lacking)}." if lacking else "This host has all that is needed."


def _rights() -> Iterator[Diagnosis]:
    """Root needs nothing else; a user needs a namespace, and ids to give files to."""
    root, namespaces = host.is_root(), host.can_make_user_namespace()
    where_absent = State.OPTIONAL if root else State.LACKING
    yield Diagnosis("rights", State.WELL, "root" if root else f"{host.user_name()}, not root", "whose files they are")
    yield Diagnosis(
        "user namespaces",
        State.WELL if namespaces else where_absent,
        "can be made" if namespaces else "the kernel refuses them",
        "building without root",
        "" if namespaces else host.as_root(f"sysctl -w {host.namespace_switch()}"),
    )
    if not root:
        yield from _subordinate_ids()


def _subordinate_ids() -> Iterator[Diagnosis]:
    user = host.user_name()
    purpose = "building without root, with the owners that packages want"
    yield _tool(host.ID_MAPPER, State.LACKING, purpose)
    for file in (SUBUID, SUBGID):
        ids = largest_range(file, user, os.geteuid())
        enough = ids is not None and ids.is_enough
        yield Diagnosis(
            f"{file.path.name} range",
            State.WELL if enough else State.LACKING,
            f"{ids.count if ids else 0} ids for {user} in {file.path}",
            purpose,
            "" if enough else command_to_add(file, user),
        )


def _kernel() -> Iterator[Diagnosis]:
    mounts = host.can_make_mount_namespace()
    yield Diagnosis(
        "mount namespace",
        State.WELL if mounts else State.OPTIONAL,
        "can be made" if mounts else "the kernel, or the container around this, refuses it",
        "a build's mounts and its working space in memory vanish with it",
        "" if mounts else _let_mount(),
    )
    openat2 = host.has_openat2()
    yield Diagnosis(
        "openat2",
        State.WELL if openat2 else State.OPTIONAL,
        "resolves inside a root" if openat2 else "not in this kernel, or refused",
        "faster safe access to files of the guest (Linux 5.6); a slower way takes its place",
    )


def _let_mount() -> str:
    """Root is refused a mount namespace only inside a container, others by a switch of the kernel."""
    if host.is_root():
        return "docker run --cap-add SYS_ADMIN --security-opt apparmor=unconfined … (or podman), around this"
    return host.as_root(f"sysctl -w {host.namespace_switch()}")


def _engine() -> Diagnosis:
    engine, found = host.answering_engine()
    return Diagnosis(
        "container engine",
        State.WELL if engine else State.OPTIONAL,
        found,
        "building with tools that this host does not have",
        "" if engine else host.install_command([PODMAN]),
    )


def _tools(planned: PlannedBuild) -> Iterator[Diagnosis]:
    request, distro, plan = planned.request, planned.distro, _plan(planned)
    for tool in plan.tools:
        yield _tool(tool, State.LACKING, f"building {distro.title}")
    yield _choice(planned, plan)
    with_modules = State.LACKING if request.kernel_modules else State.OPTIONAL
    yield _tool(DEPMOD, with_modules, "the index of --kernel-modules")
    with_probe = State.LACKING if request.agent == PROBE_AGENT else State.OPTIONAL
    yield _tool(COMPILER, with_probe, f"compiling the diagnostic agent (--agent {PROBE_AGENT})")


def _choice(planned: PlannedBuild, plan: Plan) -> Diagnosis:
    asked, purpose = planned.request.engine, f"building {planned.distro.title}"
    try:
        choice = choose_engine(planned.request, planned.distro, plan)
        choice.engine.require_ready(plan)
    except (HostLacks, UsageError) as error:
        return Diagnosis(f"engine {asked}", State.LACKING, error.found, purpose, error.hint)
    return Diagnosis(f"engine {asked}", State.WELL, f"{choice.engine.name}: {choice.reason}", purpose)


def _tool(tool: Tool, where_absent: State, purpose: str) -> Diagnosis:
    path = find_tool(tool)
    if path is not None:
        return Diagnosis(tool.program, State.WELL, path, purpose)
    if tool.fetch is not None:
        return Diagnosis(tool.program, State.WELL, "not on PATH; a build fetches it, and verifies it", purpose)
    return Diagnosis(tool.program, where_absent, "not on PATH", purpose, host.install_command([tool]))


def _space(planned: PlannedBuild) -> Iterator[Diagnosis]:
    target = planned.request.rootfs_dir
    free = host.free_bytes(target)
    if free is not None:
        yield Diagnosis(
            "free space",
            State.WELL if free >= SPACE_NEEDED else State.LACKING,
            f"{free // MEBIBYTE} MiB for {target}",
            f"a rootfs and its packages take up to {SPACE_NEEDED // MEBIBYTE} MiB",
            "" if free >= SPACE_NEEDED else "rootfs-kit … --rootfs-dir DIR, on a larger filesystem",
        )
    memory = host.available_memory()
    if memory is not None:
        # A build takes half of it at the most (staging.py).
        enough = memory // 2 >= LEAST_MEMORY
        yield Diagnosis(
            "memory",
            State.WELL if enough else State.OPTIONAL,
            f"{memory // MEBIBYTE} MiB available",
            "building in memory, twice as fast as on a disk",
        )


def _machine(planned: PlannedBuild) -> Diagnosis:
    machine = str(planned.request.arch)
    subject, purpose = (
        f"running {machine}",
        "packages run programs of the guest's architecture while they are installed",
    )
    engine = _engine_of(planned)
    try:
        engine.require_runnable(machine) if engine else emulation.require_runnable(machine)
    except HostLacks as error:
        return Diagnosis(subject, State.LACKING, error.found, purpose, error.hint)
    where = "here" if engine is None or not engine.is_elsewhere else f"with {engine.name}, as far as it can be seen"
    return Diagnosis(subject, State.WELL, f"programs of it run {where}", purpose)


def _engine_of(planned: PlannedBuild) -> Engine | None:
    """The engine that a build would take; None where there is none."""
    try:
        return choose_engine(planned.request, planned.distro, _plan(planned)).engine
    except (HostLacks, UsageError):
        return None


def _plan(planned: PlannedBuild) -> Plan:
    request, distro = planned.request, planned.distro
    return find_backend(distro.backend).plan(request, distro, site_to_show(request, distro))


def _release(planned: PlannedBuild, today: date) -> Diagnosis:
    distro = planned.distro
    release = distro.release(planned.request.os_version)
    ended = release.has_ended(today)
    until = f"security updates until {release.end_of_life}" if release.end_of_life else "no end announced"
    return Diagnosis(
        f"{distro.title} {release.title}",
        State.OPTIONAL if ended else State.WELL,
        f"security updates ended on {release.end_of_life}" if ended else until,
        "a release that still gets security updates",
        f"rootfs-kit build {distro.name} --os-version {distro.default_version}" if ended else "",
    )


def _mirror(planned: PlannedBuild) -> Diagnosis:
    request, distro = planned.request, planned.distro
    named = tuple(mirror for mirror in mirrors_of(request, distro) if mirror is not None)
    mirrors = named or archives_of_apt(distro.title)
    index = find_backend(distro.backend).index(request, distro)
    subject, purpose = f"{distro.title}'s archive", f"installing {distro.title}'s packages"
    if not mirrors:
        found = f"{distro.backend} chooses it; this host does not say which"
        return Diagnosis(subject, State.OPTIONAL, found, purpose, f"rootfs-kit doctor {distro.name} --mirror URL")
    complaints = []
    for mirror in mirrors:
        complaint = archive_complaint(mirror, index)
        if complaint is None:
            return Diagnosis(subject, State.WELL, f"{mirror} answers", purpose)
        complaints.append(f"{mirror}: {complaint.text}")
    mend = f"rootfs-kit doctor {distro.name} --mirror URL, with a mirror that can be reached from here"
    return Diagnosis(subject, State.LACKING, "; ".join(complaints), purpose, mend)
