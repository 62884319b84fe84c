"""Finds out the profile of a tree that nobody named one for, and says why it decided so.

Only what lies in the tree counts, not what its manifest claims: a tree must not talk itself out of checks. A tree is
an overlay only where nothing at all of a base is found, for an overlay is held to fewer checks.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootfs_kit.axes import Content, InitMode
from rootfs_kit.errors import CouldNotLook, UsageError
from rootfs_kit.suite.anatomy import AGENT_DIRECTORIES, INIT, SYSTEMD_PATHS, InitProgram, find_agent, init_program
from rootfs_kit.suite.profile import Profile, ProfileRequest
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.paths import shown

# What a base brings and Kata's own files never do.
BASE_EVIDENCE = (
    "/etc/os-release", "/usr/lib/os-release", "/etc/passwd", "/usr/lib/passwd", "/bin/sh", "/usr/bin/sh",
    "/var/lib/dpkg/status", "/var/lib/dpkg/status.d", "/lib/apk/db/installed", "/usr/lib/apk/db/installed",
    "/var/lib/rpm", "/usr/lib/sysimage/rpm", "/var/lib/pacman/local", *SYSTEMD_PATHS,
)  # fmt: skip
KATA_UNITS = tuple(
    f"{directory}/{name}"
    for directory in ("/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system")
    for name in ("kata-containers.target", "kata-agent.service")
)
AGENT_PLACES = (INIT, *(f"{directory}/kata-agent" for directory in AGENT_DIRECTORIES))
GUEST_COMPONENTS = (
    "/usr/local/bin/attestation-agent", "/usr/local/bin/confidential-data-hub", "/usr/local/bin/api-server-rest",
    "/pause_bundle",
)  # fmt: skip
SELINUX = "/etc/selinux/config"
DEFAULT_POLICY = "/etc/kata-opa/default-policy.rego"
# Both are in the binary of an agent that was built with the agent-policy feature (src/agent/policy/src/policy.rs).
POLICY_STRINGS = (b"default-policy.rego", b"agent_policy")


def decide_profile(request: ProfileRequest, tree: RootfsTree) -> Profile:
    """The profile of `tree`: what `request` names, and detection for the rest.

    Features that the tree shows are added to those that were named. Raises UsageError for an empty tree.
    """
    _refuse_an_empty(tree)
    content, why_content = (request.content, "named") if request.content else _content(tree)
    init, why_init = (request.init, "named") if request.init else _init(tree)
    found = dict(_features(tree))
    reasons = [f"init: {init} ({why_init})", f"content: {content} ({why_content})"]
    reasons += [f"{name} (named)" for name in sorted(request.features)]
    reasons += [f"{name} ({why})" for name, why in sorted(found.items()) if name not in request.features]
    return Profile(init, content, request.features | found.keys(), tuple(reasons))


def _refuse_an_empty(tree: RootfsTree) -> None:
    doing = f"looking at {shown(tree.name)}"
    try:
        names = tree.listdir("/")
    except CouldNotLook as error:
        raise UsageError(doing, error.found, error.hint) from error
    if not names:
        raise UsageError(doing, "the rootfs is empty", "Give the directory that holds the rootfs itself.")


def _first(tree: RootfsTree, paths: tuple[str, ...], unreadable_counts: bool = False) -> str | None:
    """The first of `paths` that is there; what cannot be looked at is there only where that `unreadable_counts`."""
    for path in paths:
        try:
            if tree.lstat(path) is not None:
                return path
        except CouldNotLook:
            if unreadable_counts:
                return path
    return None


def _content(tree: RootfsTree) -> tuple[Content, str]:
    base = _first(tree, BASE_EVIDENCE, unreadable_counts=True)
    if base is not None:
        return Content.FULL, f"{base} is there"
    part = _first(tree, (*KATA_UNITS, *AGENT_PLACES))
    if part is None:
        return Content.FULL, "nothing of Kata's is there either"
    return Content.OVERLAY, f"{part} is there, and nothing of a base"


def _init(tree: RootfsTree) -> tuple[InitMode, str]:
    try:
        program = init_program(tree)
    except CouldNotLook as error:
        return InitMode.SYSTEMD, f"the default, as {INIT} cannot be read: {error.found}"
    where = f"{INIT} is {program}"
    if program in (InitProgram.AGENT, InitProgram.PACKED, InitProgram.PROBE):
        return InitMode.AGENT, where
    if program in (InitProgram.SYSTEMD, InitProgram.NVRC):
        return InitMode.SYSTEMD, where
    unit = _first(tree, (*KATA_UNITS, *SYSTEMD_PATHS))
    if unit is not None:
        return InitMode.SYSTEMD, f"{where}, but {unit} is there"
    if program is InitProgram.OTHER:
        return InitMode.AGENT, f"{where}, and there is no systemd"
    return InitMode.SYSTEMD, f"the default, as {INIT} is {program}"


def _features(tree: RootfsTree) -> Iterator[tuple[str, str]]:
    """The features that the tree shows, each with its evidence. A debug console or an image leaves no trace."""
    if tree.source_kind == "cpio":
        yield "initrd", "it is a cpio archive"
    modules = _modules(tree)
    if modules is not None:
        yield "modules", modules
    component = _first(tree, GUEST_COMPONENTS)
    if component is not None:
        yield "confidential", f"{component} is there"
    if _first(tree, (SELINUX,)) is not None:
        yield "selinux", f"{SELINUX} is there"
    if _first(tree, (DEFAULT_POLICY,)) is not None:
        yield "policy", f"{DEFAULT_POLICY} is there"
    elif _agent_asks_for_a_policy(tree):
        yield "policy", "the agent was built with agent-policy"


def _modules(tree: RootfsTree) -> str | None:
    try:
        count = len(tree.module_versions)
    except CouldNotLook as error:
        return f"/lib/modules cannot be read: {error.found}"
    return f"/lib/modules holds {count} kernel{'s' if count > 1 else ''}" if count else None


def _agent_asks_for_a_policy(tree: RootfsTree) -> bool:
    try:
        agent = find_agent(tree)
        content = agent.read_bytes() if agent is not None and agent.is_file else b""
    except CouldNotLook:
        return False
    return all(text in content for text in POLICY_STRINGS)
