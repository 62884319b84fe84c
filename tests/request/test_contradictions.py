"""Requests that contradict themselves, or name what is not there, end before anything begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfs_kit.errors import UsageError
from rootfs_kit.planning import missing_inputs, require_inputs
from tests.distro.test_discovery import make
from tests.support.surroundings import planned_build, planned_overlay


@pytest.mark.parametrize("planned", [planned_build, planned_overlay])
def test_two_sources_of_the_agent_are_named_both(tmp_path: Path, planned):
    with pytest.raises(UsageError) as caught:
        planned(tmp_path, rootfs_dir="x", agent_bin="one", agent_tarball="two")
    assert "one (command line, --agent-bin)" in caught.value.found
    assert "two (command line, --agent-tarball)" in caught.value.found


def test_two_sources_of_the_agent_in_the_environment_are_named_both(tmp_path: Path):
    with pytest.raises(UsageError, match=r"AGENT_SOURCE_BIN.*AGENT_TARBALL"):
        planned_build(tmp_path, {"AGENT_SOURCE_BIN": "a", "AGENT_TARBALL": "b"})


def test_the_probe_and_a_real_agent_exclude_each_other(tmp_path: Path):
    with pytest.raises(UsageError, match="two are given"):
        planned_build(tmp_path, agent="probe", agent_bin="one")


def test_selinux_needs_an_init_system_as_osbuilder_has_it(tmp_path: Path):
    with pytest.raises(UsageError, match=r"SELINUX.*--agent-init"):
        planned_build(tmp_path, {"SELINUX": "yes"}, agent_init=True)


def test_selinux_needs_a_distribution_with_a_policy(tmp_path: Path):
    make(tmp_path / "mine" / "plain")
    with pytest.raises(UsageError, match="no packages with an SELinux policy are known"):
        planned_build(tmp_path, distro="plain", distros_dirs=("mine",), selinux=True)


def test_a_build_needs_a_distribution(tmp_path: Path):
    with pytest.raises(UsageError, match="no distribution is named"):
        planned_build(tmp_path, distro=None)


@pytest.mark.parametrize(
    ("option", "field", "kind"),
    [
        ("--agent-bin", "agent_bin", "file"),
        ("--agent-tarball", "agent_tarball", "file"),
        ("--agent-policy", "agent_policy", "file"),
        ("--kernel-modules", "kernel_modules", "directory"),
        ("--guest-hooks-tarball", "guest_hooks_tarball", "file"),
        ("--coco-tarball", "coco_tarball", "file"),
        ("--pause-tarball", "pause_tarball", "file"),
    ],
)
def test_an_input_that_is_not_there_is_told_with_who_named_it(tmp_path: Path, option, field, kind):
    planned = planned_build(tmp_path, **{field: "nowhere"})
    with pytest.raises(UsageError) as caught:
        require_inputs(planned.settings)
    assert str(tmp_path / "nowhere") in caught.value.found
    assert option in caught.value.doing
    assert f"existing {kind}" in caught.value.hint


def test_a_directory_where_a_file_is_wanted_is_told(tmp_path: Path):
    with pytest.raises(UsageError, match="is no file"):
        require_inputs(planned_build(tmp_path, agent_bin=".").settings)


def test_every_missing_input_can_be_listed(tmp_path: Path):
    (tmp_path / "there").mkdir()
    planned = planned_build(tmp_path, overlay_dirs=("there", "a"), run_scripts=("b",))
    assert [error.found for error in missing_inputs(planned.settings)] == [
        f"{tmp_path}/a does not exist",
        f"{tmp_path}/b does not exist",
    ]


def test_inputs_that_are_there_are_fine(tmp_path: Path):
    (tmp_path / "agent").write_bytes(b"")
    (tmp_path / "modules").mkdir()
    settings = planned_build(tmp_path, agent_bin="agent", kernel_modules="modules").settings
    require_inputs(settings)
    assert list(missing_inputs(settings)) == []


def test_a_release_whose_updates_ended_is_built_with_a_warning(tmp_path: Path):
    old = tmp_path / "mine" / "old"
    old.mkdir(parents=True)
    (old / "distro.toml").write_text(
        'title = "Old"\nbackend = "mmdebstrap"\ndefault-release = "one"\ninit-modes = ["systemd"]\n'
        '[[release]]\nname = "one"\nend-of-life = 2020-01-31\n'
        '[architectures]\nx86_64 = "amd64"\n[packages]\nbase = []\n'
    )
    planned = planned_build(tmp_path, distro="old", distros_dirs=("mine",))
    assert planned.notes == ("security updates of Old one ended on 2020-01-31",)
