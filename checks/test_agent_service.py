"""Agent's service: what its unit says that systemd refuses, and what it names that the guest does not have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rootfs_kit.suite.accounts import groups_of, users_of
from rootfs_kit.suite.agent_units import SERVICE, TARGET, skip_where_nvrc_is_init, the_unit
from rootfs_kit.suite.boot_places import appears_at_boot
from rootfs_kit.suite.check import ERROR, FULL, SYSTEMD, Finding, check, report, require
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.unit_conditions import unmet_conditions
from rootfs_kit.tree.unit_syntax import with_specifiers
from rootfs_kit.tree.units import Unit

NOT_STARTED = "systemd does not start the agent, and the runtime times out connecting to the vsock"
# A failure of any of them is a failure of the service (systemd.service(5)).
AROUND_THE_AGENT = ("ExecCondition", "ExecStartPre", "ExecStartPost")
# What systemd knows without a database (nss-systemd(8)).
ALWAYS_KNOWN = frozenset({"root", "nobody"})
TRUE = ("1", "yes", "y", "true", "t", "on")
# Directories that systemd makes for a service, and where (systemd.exec(5), RuntimeDirectory=).
MADE = {
    "CacheDirectory": "/var/cache",
    "ConfigurationDirectory": "/etc",
    "LogsDirectory": "/var/log",
    "StateDirectory": "/var/lib",
}
GLOB = frozenset("*?[")


@pytest.fixture(autouse=True)
def _systemd_is_the_init(rootfs: RootfsTree) -> None:
    skip_where_nvrc_is_init(rootfs, "it has no units")


@check("UNT-01", severity=ERROR, init=SYSTEMD, source="systemd.service(5), ExecStart=")
def test_agent_service_has_one_command(rootfs: RootfsTree) -> None:
    """Guards against a second ExecStart=, which a drop-in adds that does not begin with an empty one.

    Only Type=oneshot may have several; systemd refuses other units.
    """
    unit = the_unit(rootfs, SERVICE)
    programs = [line.program for line in unit.exec_lines("ExecStart")]
    require(
        len(programs) < 2 or unit.get("Service", "Type")[-1:] == ["oneshot"],
        unit.path,
        found=f"{len(programs)} commands: ExecStart={', '.join(programs)}",
        expected="one ExecStart=",
        at_boot=f"systemd refuses the unit (bad-setting); {NOT_STARTED}",
        mend="write an empty ExecStart= before the one that counts, or remove the others",
    )


@check("UNT-01", severity=ERROR, content=FULL, init=SYSTEMD, source="systemd.service(5), ExecStartPre=, ExecCondition=")
def test_programs_around_the_agent_are_there(rootfs: RootfsTree) -> None:
    """Guards against an ExecStartPre=, ExecStartPost= or ExecCondition= that names a program the guest does not have.

    Install it, or put a minus sign before the path where the agent can do without.
    """
    unit = in_this_root(rootfs)
    report(
        Finding(
            unit.path,
            found=f"{key}={line.program}: {rootfs.file(line.program).describe()}",
            expected="an executable program of the rootfs",
            at_boot=f"the service fails; {NOT_STARTED}",
            mend=f"install {line.program}, or write {key}=-{line.program}",
        )
        for key in AROUND_THE_AGENT
        for line in unit.exec_lines(key)
        if not line.may_fail and is_known_before_boot(rootfs, line.program)
        if not rootfs.file(line.program).is_executable
    )


def in_this_root(rootfs: RootfsTree) -> Unit:
    """The agent's unit, unless its paths are in another root than the tree's."""
    unit = the_unit(rootfs, SERVICE)
    if unit.get("Service", "RootImage") or unit.get("Service", "RootDirectory")[-1:] not in ([], ["/"]):
        pytest.skip("the service has a root directory of its own")
    return unit


def is_known_before_boot(rootfs: RootfsTree, path: str) -> bool:
    return path.startswith("/") and not {"%", "$"} & set(path) and not appears_at_boot(rootfs, path)


@check(
    "UNT-01", severity=ERROR, content=FULL, init=SYSTEMD, source="systemd.exec(5), User=, Group=, SupplementaryGroups="
)
def test_agent_runs_as_somebody_who_exists(rootfs: RootfsTree) -> None:
    """Guards against a User= or a group that the guest does not know. The agent runs as root: leave them out."""
    unit = in_this_root(rootfs)
    if unit.get("Service", "DynamicUser")[-1:] and unit.get("Service", "DynamicUser")[-1].lower() in TRUE:
        pytest.skip("systemd makes the service's user (DynamicUser=)")
    users, groups = users_of(rootfs).keys() | ALWAYS_KNOWN, groups_of(rootfs).keys() | ALWAYS_KNOWN
    asked = [("User", name, users) for name in unit.get("Service", "User")[-1:]]
    asked += [("Group", name, groups) for name in unit.get("Service", "Group")[-1:]]
    asked += [("SupplementaryGroups", name, groups) for name in unit.words("Service", "SupplementaryGroups")]
    report(
        Finding(
            unit.path,
            found=f"{key}={name}, which the rootfs does not know",
            expected="root, or a name of /etc/passwd and /etc/group",
            at_boot=f"systemd cannot find out the credentials (217/USER, 216/GROUP); {NOT_STARTED}",
            mend=f"remove {key}= from the unit",
        )
        for key, name, known in asked
        if name not in known and not name.isdigit() and "%" not in name
    )


@check(
    "UNT-01",
    severity=ERROR,
    content=FULL,
    init=SYSTEMD,
    source="systemd.exec(5), WorkingDirectory=, RootDirectory=, EnvironmentFile=",
)
def test_agent_service_finds_its_files(rootfs: RootfsTree) -> None:
    """Guards against a directory or a file of the service that is not there: systemd then does not start it.

    Make it, or put a minus sign before a WorkingDirectory= or EnvironmentFile= that may be absent.
    """
    unit = the_unit(rootfs, SERVICE)
    report(
        Finding(
            unit.path,
            found=f"{key}={path}: {rootfs.file(path).describe()}",
            expected="a file of the rootfs" if key in ("EnvironmentFile", "RootImage") else "a directory of the rootfs",
            at_boot=f"systemd cannot set the service up; {NOT_STARTED}",
            mend=f"create {path}, or correct the unit",
        )
        for key, path in _lost_files(rootfs, unit)
    )


def _lost_files(rootfs: RootfsTree, unit: Unit) -> Iterator[tuple[str, str]]:
    made = [f"{base}/{word.partition(':')[0]}" for key, base in MADE.items() for word in unit.words("Service", key)]
    roots = _settings(unit, "RootDirectory") + _settings(unit, "RootImage")
    inside = [] if [path for _, path in roots if path != "/"] else _settings(unit, "WorkingDirectory")
    files = [("EnvironmentFile", value) for value in unit.get("Service", "EnvironmentFile")]
    for key, value in (*roots, *inside, *files):
        path = with_specifiers(value, unit.id)
        if GLOB & set(path) or not is_known_before_boot(rootfs, path):
            continue
        if any(f"{one}/".startswith(f"{path}/") for one in made):
            continue
        file = rootfs.file(path)
        if not (file.is_directory if key in ("RootDirectory", "WorkingDirectory") else file.exists):
            yield key, path


def _settings(unit: Unit, key: str) -> list[tuple[str, str]]:
    """A setting that holds one value, as a list of one or none."""
    return [(key, value) for value in unit.get("Service", key)[-1:]]


@check("UNT-01", severity=ERROR, content=FULL, init=SYSTEMD, source="systemd.unit(5), CONDITIONS AND ASSERTS")
@pytest.mark.parametrize("name", [SERVICE, TARGET])
def test_no_condition_keeps_the_agent_from_starting(rootfs: RootfsTree, name: str) -> None:
    """Guards against a condition about a path that no guest of this rootfs meets: systemd skips the unit in silence.

    Only what a tree can tell is judged: nothing below /dev, /proc, /run, /sys and /tmp. Make the path, or remove the
    condition.
    """
    unit = the_unit(rootfs, name)
    unmet = unmet_conditions(rootfs, unit, lambda path: appears_at_boot(rootfs, path))
    report(
        Finding(
            condition.file,
            found=f"{condition}, which does not hold in this rootfs",
            expected="conditions that hold in the guest",
            at_boot=f"{name} is skipped; {NOT_STARTED}",
            mend="remove the condition, or make it hold",
        )
        for condition in unmet
    )
