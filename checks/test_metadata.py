"""Metadata: what the rootfs says about itself, against what it is."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest

from rootfs_kit.axes import InitMode
from rootfs_kit.suite.anatomy import AGENT_DIRECTORIES, InitProgram, find_agent, init_program
from rootfs_kit.suite.check import FULL, WARN, Finding, check, report, require
from rootfs_kit.suite.profile import Profile
from rootfs_kit.suite.summary_document import SUMMARY, NoSummary, field, read_summary
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.machines import rootfs_machine

FORMAT = "0.0.2"
# `date -u -Ins`-like; an older busybox leaves %N as it stands (kata-containers/osbuilder#401).
TIME = re.compile(r"[^.]+\.\d+\+0000Z")
FIELDS = (
    "osbuilder.url", "osbuilder.version", "rootfs-creation-time", "description", "file-format-version",
    "architecture", "base-distro.name", "base-distro.version", "base-distro.packages.default",
    "base-distro.packages.extra", "agent.url", "agent.name", "agent.version", "agent.agent-is-init-daemon",
)  # fmt: skip
# What osbuilder calls a distribution, and what that one's os-release says.
OTHER_NAMES = {
    "cbl-mariner": ("azurelinux", "mariner"),
    "clearlinux": ("clear-linux-os",),
    "opensuse": ("opensuse-leap", "opensuse-tumbleweed"),
    "suse": ("opensuse-leap", "opensuse-tumbleweed", "sles", "sle-micro"),
}
MEND = "let rootfs-kit write the file, or correct the field"
AT_BOOT = "the guest boots; kata-collect-data.sh reports something else than what runs"


def the_summary(rootfs: RootfsTree) -> dict[str, Any]:
    if not rootfs.exists(SUMMARY):
        pytest.skip("there is no osbuilder.yaml: test_osbuilder_yaml_is_there reports that")
    try:
        return read_summary(rootfs)
    except NoSummary:
        pytest.skip("osbuilder.yaml is no YAML document: test_osbuilder_yaml_can_be_read reports that")


@check("YML-01", severity=WARN, source="osbuilder/scripts/lib.sh:157-219; kata-collect-data.sh reads it back")
def test_osbuilder_yaml_is_there(rootfs: RootfsTree) -> None:
    """Guards against a rootfs of unknown origin: support tools read this file out of images and initrds."""
    require(
        rootfs.file(SUMMARY).is_file,
        SUMMARY,
        found=rootfs.file(SUMMARY).describe(),
        expected="the summary that osbuilder and rootfs-kit write",
        at_boot="the guest boots; nobody can tell what it was built from",
        mend="build the rootfs with rootfs-kit or osbuilder, or write the file",
    )


@check("YML-01", severity=WARN, source="osbuilder/scripts/lib.sh:157-219")
def test_osbuilder_yaml_can_be_read(rootfs: RootfsTree) -> None:
    """Guards against a summary that its readers cannot parse, or in which fields are missing."""
    if not rootfs.exists(SUMMARY):
        pytest.skip("there is no osbuilder.yaml: test_osbuilder_yaml_is_there reports that")
    document: dict[str, Any] = {}
    why = ""
    try:
        document = read_summary(rootfs)
    except NoSummary as error:
        why = str(error)
    require(
        not why,
        SUMMARY,
        found=f"no YAML mapping: {why}",
        expected="a YAML document",
        at_boot=AT_BOOT,
        mend=MEND,
    )
    lost = [name for name in FIELDS if field(document, name) is None]
    wrong = [f"file-format-version {field(document, 'file-format-version')!r}"] if _is_other_format(document) else []
    wrong += [f"rootfs-creation-time {field(document, 'rootfs-creation-time')!r}"] if not _has_a_time(document) else []
    report(
        Finding(SUMMARY, found=f"no {name}", expected=f"the fields of format {FORMAT}", at_boot=AT_BOOT, mend=MEND)
        for name in lost
    )
    report(
        Finding(SUMMARY, found=what, expected=f"format {FORMAT}, a time in UTC", at_boot=AT_BOOT, mend=MEND)
        for what in wrong
    )


def _is_other_format(document: dict[str, Any]) -> bool:
    return field(document, "file-format-version") != FORMAT


def _has_a_time(document: dict[str, Any]) -> bool:
    text = str(field(document, "rootfs-creation-time"))
    try:
        datetime.fromisoformat(text.partition(".")[0].partition("+")[0])
    except ValueError:
        return False
    return TIME.fullmatch(text) is not None


@check("YML-01", severity=WARN, source="osbuilder/scripts/lib.sh:157-219")
def test_osbuilder_yaml_names_the_architecture(rootfs: RootfsTree) -> None:
    """Guards against a summary that was copied from another build: its architecture is not the tree's."""
    stated, machine = field(the_summary(rootfs), "architecture"), rootfs_machine(rootfs)
    require(
        stated is None or machine is None or stated == machine,
        SUMMARY,
        found=f"architecture: {stated}",
        expected=f"architecture: {machine}, as the programs of the rootfs",
        at_boot=AT_BOOT,
        mend=MEND,
    )


@check(
    "YML-01", severity=WARN, content=FULL, source="rootfs.sh:938-950 takes the build host's os-release for the rootfs's"
)
def test_osbuilder_yaml_names_the_distribution(rootfs: RootfsTree) -> None:
    """Guards against a summary that names the distribution of the build host, or of another rootfs."""
    stated, actual = field(the_summary(rootfs), "base-distro.name"), rootfs.os_release.get("ID", "")
    known = stated.lower() if isinstance(stated, str) else ""
    require(
        not known or not actual or actual in OTHER_NAMES.get(known, (known,)),
        SUMMARY,
        found=f"base-distro.name: {stated}",
        expected=f"{actual}, as os-release says",
        at_boot=AT_BOOT,
        mend=MEND,
    )


@check("YML-01", severity=WARN, content=FULL, source="osbuilder/scripts/lib.sh:157-219 (agent.name)")
def test_osbuilder_yaml_names_the_agent(rootfs: RootfsTree) -> None:
    """Guards against a summary whose agent is no program of the rootfs."""
    stated = field(the_summary(rootfs), "agent.name")
    agent = find_agent(rootfs)
    if agent is None or not isinstance(stated, str):
        pytest.skip("there is no agent, or the summary names none: AGT-01 and other tests report that")
    require(
        any(rootfs.exists(f"{directory}/{stated}") for directory in AGENT_DIRECTORIES),
        SUMMARY,
        found=f"agent.name: {stated}, of which there is no program",
        expected=f"agent.name: {agent.path.rpartition('/')[2]}",
        at_boot=AT_BOOT,
        mend=MEND,
    )


@check("INI-02", severity=WARN, source="osbuilder/scripts/lib.sh:157-219 (agent-is-init-daemon)")
def test_osbuilder_yaml_names_the_init_mode(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against a summary whose agent-is-init-daemon is not what /sbin/init is."""
    stated = field(the_summary(rootfs), "agent.agent-is-init-daemon")
    actual = {
        InitProgram.NONE: "no" if profile.init is InitMode.SYSTEMD else "yes",  # an overlay: init is the base's
        InitProgram.SYSTEMD: "no",
        InitProgram.NVRC: "no",
        InitProgram.AGENT: "yes",
        InitProgram.PROBE: "yes",
    }.get(init_program(rootfs))
    require(
        stated is None or actual is None or stated == actual,
        SUMMARY,
        found=f'agent-is-init-daemon: "{stated}"',
        expected=f'agent-is-init-daemon: "{actual}", as /sbin/init is {init_program(rootfs)}',
        at_boot=AT_BOOT,
        mend=MEND,
    )
