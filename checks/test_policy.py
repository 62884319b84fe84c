"""Policy: the rules that an agent built with the agent-policy feature cannot start without."""

from __future__ import annotations

import re

import pytest

from rootfs_kit.suite.anatomy import find_agent
from rootfs_kit.suite.check import ERROR, WARN, check, require
from rootfs_kit.tree import RootfsTree

DEFAULT_POLICY = "/etc/kata-opa/default-policy.rego"
POLICY_AGENT_STRINGS = (b"default-policy.rego", b"agent_policy")


def has_policy_feature(rootfs: RootfsTree) -> bool:
    """An agent with the feature carries the policy's path; one without it has no use for the string."""
    agent = find_agent(rootfs)
    if agent is None or not agent.is_file:
        pytest.skip("there is no agent: AGT-01 reports that")
    content = agent.read_bytes()
    return all(text in content for text in POLICY_AGENT_STRINGS)


@check(
    "POL-01", severity=ERROR, features=["policy"], source="src/agent/src/main.rs:388-395; policy/src/policy.rs:118-127"
)
def test_policy_can_be_read(rootfs: RootfsTree) -> None:
    """Guards against an agent that powers the guest off after a second: its default policy is missing.

    Install a policy (rootfs-kit build --agent-policy FILE).
    """
    policy = rootfs.file(DEFAULT_POLICY)
    require(
        policy.is_file and policy.size > 0,
        DEFAULT_POLICY,
        found=policy.describe() if not policy.is_file else "an empty file",
        expected="a policy in Rego, or a link to one",
        at_boot="an agent with the agent-policy feature aborts, and the VM stops after a second",
        mend="install a policy (rootfs-kit build --agent-policy FILE)",
    )


@check(
    "POL-01", severity=ERROR, features=["policy"], source="src/agent/policy/src/policy.rs: queries data.agent_policy"
)
def test_policy_is_in_the_agents_package(rootfs: RootfsTree) -> None:
    """Guards against a policy whose rules the agent never asks for: it queries the package agent_policy."""
    policy = rootfs.file(DEFAULT_POLICY)
    if not policy.is_file or not policy.size:
        pytest.skip("there is no policy: test_policy_can_be_read reports that")
    require(
        re.search(r"^[^\S\n]*package[^\S\n]+agent_policy\b", policy.read_text(), re.MULTILINE) is not None,
        DEFAULT_POLICY,
        found="no line `package agent_policy`",
        expected="a policy in the package agent_policy",
        at_boot="every request to the agent is denied, as no rule allows it",
        mend="begin the policy with `package agent_policy`",
    )


@check("POL-02", severity=WARN, features=["policy"], source="src/agent/Cargo.toml: feature agent-policy")
def test_policy_is_enforced_by_the_agent(rootfs: RootfsTree) -> None:
    """Guards against false security: a policy file that the agent, built without the feature, never reads."""
    if not rootfs.exists(DEFAULT_POLICY):
        pytest.skip("there is no policy: POL-01 reports that")
    require(
        has_policy_feature(rootfs),
        DEFAULT_POLICY,
        found="a policy, while the agent was built without the agent-policy feature",
        expected="an agent that reads it",
        at_boot="the guest boots, and the policy is not enforced",
        mend="build the agent with AGENT_POLICY=yes, or leave the policy out",
    )
