"""Agent's answer: what kata-agent says of itself when it is started, only where that is asked for.

`--run-agent` (with pytest `--rootfs-run-agent`) starts it, once, with `--version`: on a machine of its own kind, in
namespaces of its own, with a read-only view of the rootfs, without network and capabilities, for a few seconds.
Without the option, nothing of a rootfs is ever started.
"""

from __future__ import annotations

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.spelling import spelt
from rootfs_kit.suite.agent_run import SECONDS, AgentAnswer, ask_agent
from rootfs_kit.suite.anatomy import find_agent, identity
from rootfs_kit.suite.check import ERROR, INFO, WARN, check, require
from rootfs_kit.suite.expectation import Expectation
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.agent_identity import AgentIdentity


def the_answer(rootfs: RootfsTree) -> tuple[str, AgentAnswer]:
    """The agent's place, and what it said."""
    agent = find_agent(rootfs)
    if agent is None or not agent.is_executable:
        pytest.skip("there is no agent: AGT-01 reports that")
    if identity(rootfs, agent.path) not in (AgentIdentity.KATA, AgentIdentity.PACKED):
        pytest.skip("this is no kata-agent: AGT-01 or INI-03 reports that")
    return agent.path, ask_agent(rootfs, agent.path)


@check("AGT-05", severity=WARN, source="src/agent/src/main.rs:331")
def test_agent_runs(rootfs: RootfsTree, started_agent: str) -> None:
    """Guards against an agent that looks right and does not start: damaged, or stripped of too much.

    Started with --version, it must say who it is. Install it again.
    """
    path, answer = the_answer(rootfs)
    last = answer.text.splitlines()[-1][:200] if answer.text else "nothing"
    require(
        answer.version is not None and answer.status == 0,
        path,
        found=f"no answer within {SECONDS} s"
        if answer.took_too_long
        else f"status {answer.status}, and it said: {last}",
        expected="status 0, and: kata-agent version …",
        at_boot="the agent does not start, and the runtime times out connecting to the vsock",
        mend="install the agent again, from a build that was tried",
    )


@check(
    "AGT-05",
    severity=ERROR,
    expects="agent_version",
    source="the expectations: agent-version; src/agent/src/main.rs:331",
)
def test_agent_is_of_the_expected_version(rootfs: RootfsTree, expectation: Expectation, run_agent: bool) -> None:
    """Guards against an agent of another release than the runtime: they speak to each other in one version only.

    Install the agent that belongs to the runtime. The agent must be started to tell: `--run-agent`.
    """
    if not run_agent:
        raise CouldNotLook(
            "comparing the agent's version",
            "it only tells when it is started, and that was not asked for",
            f"Add {spelt('run-agent')}, or take agent-version out of the expectations.",
        )
    path, answer = the_answer(rootfs)
    require(
        answer.version == expectation.agent_version,
        path,
        found=f"version {answer.version}" if answer.version else "no answer that tells the version",
        expected=f"version {expectation.agent_version}",
        at_boot="the runtime and the agent may not understand each other: CreateSandbox fails",
        mend=f"install the agent of release {expectation.agent_version}",
    )


@check("AGT-05", severity=INFO, source="src/agent/src/main.rs:331; src/agent/Cargo.toml, features")
def test_agent_tells_its_features(rootfs: RootfsTree, started_agent: str) -> None:
    """Notes the agent's version and the features that it was built with."""
    path, answer = the_answer(rootfs)
    if answer.version is None:
        pytest.skip("it does not say: test_agent_runs reports that")
    require(
        False,
        path,
        found=f"version {answer.version}, features: {', '.join(answer.features) or 'none'}",
        expected="what the runtime's configuration asks for",
        at_boot="a request that needs another feature fails",
        mend="nothing: this is what the agent says",
    )
