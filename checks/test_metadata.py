"""Metadata: what the rootfs says about itself, against what it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from rootfs_kit.suite.anatomy import InitProgram, init_program
from rootfs_kit.suite.check import WARN, Finding, check, report, require
from rootfs_kit.suite.summary_document import SUMMARY, NoSummary, field, read_summary
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.machines import rootfs_machine

FORMAT = "0.0.2"
FIELDS = (
    "osbuilder.url", "osbuilder.version", "rootfs-creation-time", "description", "file-format-version",
    "architecture", "base-distro.name", "base-distro.version", "base-distro.packages.default",
    "base-distro.packages.extra", "agent.url", "agent.name", "agent.version", "agent.agent-is-init-daemon",
)  # fmt: skip
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
    text = str(field(document, "rootfs-creation-time")).partition(".")[0].partition("+")[0]
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


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


@check("INI-02", severity=WARN, source="osbuilder/scripts/lib.sh:157-219 (agent-is-init-daemon)")
def test_osbuilder_yaml_names_the_init_mode(rootfs: RootfsTree) -> None:
    """Guards against a summary whose agent-is-init-daemon is not what /sbin/init is."""
    stated = field(the_summary(rootfs), "agent.agent-is-init-daemon")
    actual = {
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
