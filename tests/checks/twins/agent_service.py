"""Known-bad twins: what the unit of the agent's service says."""

from __future__ import annotations

from tests.checks.twins.twin import ETC_SYSTEM, Twin
from tests.support.defects import Defect, written

DROP_IN = f"{ETC_SYSTEM}/kata-agent.service.d/10.conf"


def says(section: str, *lines: str) -> Defect:
    """A drop-in of the agent's service says so."""
    return written(DROP_IN, "\n".join((f"[{section}]", *lines, "")))


TWINS = [
    Twin("a second ExecStart", "UNT-01::test_agent_service_has_one_command", says("Service", "ExecStart=/bin/sync")),
    Twin(
        "what is to run before the agent is not there",
        "UNT-01::test_programs_around_the_agent_are_there",
        says("Service", "ExecStartPre=-/absent", "ExecStartPre=/nope"),
    ),
    Twin(
        "what is to run after the agent has started is not there",
        "UNT-01::test_programs_around_the_agent_are_there",
        says("Service", "ExecStartPost=+/nope"),
    ),
    Twin(
        "the agent's user does not exist",
        "UNT-01::test_agent_runs_as_somebody_who_exists",
        says("Service", "User=nouser"),
    ),
    Twin(
        "the agent's group does not exist",
        "UNT-01::test_agent_runs_as_somebody_who_exists",
        says("Service", "Group=nogroup-here"),
    ),
    Twin(
        "the agent's working directory is not there",
        "UNT-01::test_agent_service_finds_its_files",
        says("Service", "WorkingDirectory=/nope"),
    ),
    Twin(
        "the agent's environment is not there",
        "UNT-01::test_agent_service_finds_its_files",
        says("Service", "EnvironmentFile=-/absent", "EnvironmentFile=/nope"),
    ),
    Twin(
        "the agent's root directory is not there",
        "UNT-01::test_agent_service_finds_its_files",
        says("Service", "RootDirectory=/nope"),
    ),
    Twin(
        "a condition that never holds",
        "UNT-01::test_no_condition_keeps_the_agent_from_starting",
        says("Unit", "ConditionPathExists=/nope"),
    ),
    Twin(
        "an assertion that never holds",
        "UNT-01::test_no_condition_keeps_the_agent_from_starting",
        says("Unit", "AssertPathExists=/nope"),
    ),
    Twin(
        "a condition that something is not there",
        "UNT-01::test_no_condition_keeps_the_agent_from_starting",
        says("Unit", "ConditionPathExists=!/etc/passwd"),
    ),
    Twin(
        "no triggering condition holds",
        "UNT-01::test_no_condition_keeps_the_agent_from_starting",
        says("Unit", "ConditionPathExists=|/nope", "ConditionPathExists=|!/etc/passwd"),
    ),
    Twin(
        "a condition of the target never holds",
        "UNT-01::test_no_condition_keeps_the_agent_from_starting",
        written(f"{ETC_SYSTEM}/kata-containers.target.d/10.conf", "[Unit]\nConditionPathExists=/nope\n"),
    ),
]
