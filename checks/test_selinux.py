"""SELinux: a guest that says it enforces a policy must have one, and an init that loads it."""

from __future__ import annotations

import re

import pytest

from rootfs_kit.axes import InitMode
from rootfs_kit.suite.check import ERROR, FULL, WARN, check, require
from rootfs_kit.suite.profile import Profile
from rootfs_kit.tree import RootfsTree

PLACE = "/etc/selinux"
CONFIGURATION = f"{PLACE}/config"
SETTING = re.compile(r"^[ \t]*(SELINUX|SELINUXTYPE)=[ \t]*(\S+)", re.MULTILINE)
POLICY = re.compile(r"policy\.\d+")


def the_policy(rootfs: RootfsTree) -> str:
    """The directory of the policy that the guest would load; it may not be there."""
    settings = dict(SETTING.findall(rootfs.file(CONFIGURATION).read_text()))
    if settings.get("SELINUX", "disabled") == "disabled":
        pytest.skip("SELinux is off in this guest")
    return f"{PLACE}/{settings.get('SELINUXTYPE', 'targeted')}"


@check(
    "SEL-01",
    severity=ERROR,
    content=FULL,
    features=["selinux"],
    source="selinux(8), selinux_config(5); rootfs.sh:522-529",
)
def test_selinux_policy_is_installed(rootfs: RootfsTree) -> None:
    """Guards against a guest that is told to enforce a policy which is not there: systemd stops at once.

    Install the policy that /etc/selinux/config names (SELINUXTYPE), or say SELINUX=disabled.
    """
    require(
        rootfs.file(CONFIGURATION).is_file,
        CONFIGURATION,
        found=rootfs.file(CONFIGURATION).describe(),
        expected="the configuration of SELinux",
        at_boot="no policy is loaded: the guest is not confined",
        mend="install the packages of the policy",
    )
    directory = the_policy(rootfs)
    require(
        any(POLICY.fullmatch(name) for name in rootfs.listdir(f"{directory}/policy")),
        f"{directory}/policy",
        found=rootfs.file(f"{directory}/policy").describe(),
        expected="a binary policy, policy.N",
        at_boot="systemd says: Failed to load SELinux policy, and freezes",
        mend="install the policy that SELINUXTYPE names, or set SELINUX=disabled",
    )


@check("SEL-01", severity=ERROR, content=FULL, features=["selinux"], source="image_builder.sh:426-448 (restorecon)")
def test_selinux_labels_can_be_set(rootfs: RootfsTree) -> None:
    """Guards against an image without labels: Kata's image builder sets them by the policy's file_contexts."""
    path = f"{the_policy(rootfs)}/contexts/files/file_contexts" if rootfs.file(CONFIGURATION).is_file else ""
    if not path:
        pytest.skip("there is no configuration: test_selinux_policy_is_installed reports that")
    require(
        rootfs.file(path).is_file,
        path,
        found=rootfs.file(path).describe(),
        expected="the list of labels that the policy gives to files",
        at_boot="no file has a label: the policy denies everything, or the guest is not confined",
        mend="install the policy with its file contexts",
    )


@check(
    "SEL-01",
    severity=WARN,
    content=FULL,
    features=["selinux"],
    source="rootfs.sh:522-529 refuses SELINUX=yes with AGENT_INIT=yes",
)
def test_selinux_policy_is_loaded(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against false security: a policy that nobody loads, as the agent is init. systemd does it."""
    if not rootfs.file(CONFIGURATION).is_file:
        pytest.skip("there is no configuration: test_selinux_policy_is_installed reports that")
    the_policy(rootfs)
    require(
        profile.init is InitMode.SYSTEMD,
        CONFIGURATION,
        found="SELinux is on, and the agent is init",
        expected="an init that loads the policy",
        at_boot="the guest boots; no policy is loaded, and nothing is confined",
        mend="build with systemd, or set SELINUX=disabled",
    )
