"""A profile is named, or found out from what lies in the tree; a tree cannot talk itself out of checks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rootfs_kit.axes import Content, InitMode
from rootfs_kit.errors import UsageError
from rootfs_kit.suite.detect import decide_profile
from rootfs_kit.suite.profile import Profile, ProfileRequest, parse_profile
from rootfs_kit.tree import open_rootfs
from tests.support.agents import stand_in_agent
from tests.support.requirements import needs_program
from tests.support.trees import agent_init_guest, agent_init_overlay, systemd_guest, systemd_overlay

pytestmark = needs_program("cc", "depmod")

MAKERS = {
    "systemd": systemd_guest,
    "agent-init": agent_init_guest,
    "systemd,overlay": systemd_overlay,
    "agent-init,overlay": agent_init_overlay,
}


def decided(root: Path, words: str = "auto") -> Profile:
    return decide_profile(parse_profile(words), open_rootfs(root))


@pytest.mark.parametrize("words", MAKERS)
def test_profile_is_found_out(tmp_path: Path, words: str) -> None:
    profile = decided(MAKERS[words](tmp_path / "root"))
    modules = ("modules",) if profile.content is Content.FULL else ()
    assert profile.words == (*words.split(","), *modules)
    assert all("(" in reason for reason in profile.reasons)


@pytest.mark.parametrize("evidence", ["etc/os-release", "etc/passwd", "bin/sh", "var/lib/dpkg/status", "var/lib/rpm/x"])
def test_anything_of_a_base_makes_it_a_full_rootfs(tmp_path: Path, evidence: str) -> None:
    root = systemd_overlay(tmp_path / "root")
    (root / evidence).parent.mkdir(parents=True, exist_ok=True)
    (root / evidence).write_text("")
    assert decided(root).content is Content.FULL


def test_manifest_that_claims_an_overlay_is_not_believed(tmp_path: Path) -> None:
    root = systemd_guest(tmp_path / "root")
    (root / "var/lib/osbuilder/manifest.json").write_text(json.dumps({"content": "overlay", "init": "agent"}))
    profile = decided(root)
    assert (profile.content, profile.init) == (Content.FULL, InitMode.SYSTEMD)


def test_tree_without_anything_of_kata_is_held_to_everything(tmp_path: Path) -> None:
    (tmp_path / "root/data").mkdir(parents=True)
    assert decided(tmp_path / "root").content is Content.FULL


def test_busybox_as_init_is_held_to_the_agent_as_init(tmp_path: Path) -> None:
    root = agent_init_guest(tmp_path / "root")
    (root / "usr/sbin/init").write_bytes(b"#!/bin/sh\n")
    profile = decided(root)
    assert profile.init is InitMode.AGENT
    assert "another program, and there is no systemd" in profile.reasons[0]


def test_dangling_init_with_kata_units_is_held_to_systemd(tmp_path: Path) -> None:
    root = systemd_guest(tmp_path / "root")
    (root / "usr/lib/systemd/systemd").unlink()
    assert decided(root).init is InitMode.SYSTEMD


def test_named_words_beat_detection_and_are_joined_by_what_is_there(tmp_path: Path) -> None:
    root = systemd_guest(tmp_path / "root")
    profile = decided(root, "agent-init,policy")
    assert profile.words == ("agent-init", "modules", "policy")
    assert "policy (named)" in profile.reasons


def test_overlay_leaves_the_init_mode_to_detection(tmp_path: Path) -> None:
    assert decided(agent_init_overlay(tmp_path / "root"), "overlay").words == ("agent-init", "overlay")


def test_init_mode_alone_names_a_full_rootfs(tmp_path: Path) -> None:
    profile = decided(systemd_overlay(tmp_path / "root"), "systemd")
    assert profile.content is Content.FULL


@pytest.mark.parametrize(
    ("path", "feature"),
    [
        ("etc/kata-opa/default-policy.rego", "policy"),
        ("pause_bundle/config.json", "confidential"),
        ("usr/local/bin/attestation-agent", "confidential"),
    ],
)
def test_feature_shows_in_the_tree(tmp_path: Path, path: str, feature: str) -> None:
    root = systemd_guest(tmp_path / "root")
    (root / path).parent.mkdir(parents=True)
    (root / path).write_text("x")
    assert feature in decided(root).features


def test_agent_that_asks_for_a_policy_is_held_to_one(tmp_path: Path) -> None:
    root = systemd_guest(tmp_path / "root")
    (root / "usr/bin/kata-agent").write_bytes(
        stand_in_agent().read_bytes() + b"/etc/kata-opa/default-policy.rego data.agent_policy"
    )
    assert "policy" in decided(root).features


def test_init_that_cannot_be_read_does_not_end_detection(tmp_path: Path) -> None:
    root = systemd_guest(tmp_path / "root")
    (root / "usr/sbin/init").unlink()
    os.mkfifo(root / "usr/sbin/init")
    assert decided(root).init is InitMode.SYSTEMD


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("systemd,agent-init", "systemd and agent-init contradict each other"),
        ("auto,systemd", "auto and systemd contradict each other"),
        ("auto,overlay", "auto and overlay contradict each other"),
        ("initrd,image", "initrd and image contradict each other"),
        ("modles", '"modles" is no profile and no feature'),
        ("", '"" is no profile and no feature'),
        ("systemd,", '"" is no profile and no feature'),
    ],
)
def test_profile_that_cannot_be(words: str, found: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_profile(words)
    assert raised.value.found == found


def test_profile_of_words() -> None:
    assert parse_profile("auto, initrd") == ProfileRequest(None, None, frozenset({"initrd"}))
    assert parse_profile("agent-init,overlay") == ProfileRequest(InitMode.AGENT, Content.OVERLAY, frozenset())
