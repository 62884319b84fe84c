"""Command line beats environment beats file beats the distribution's defaults beats what is built in."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from rootfs_kit.request import BuildRequest
from rootfs_kit.request.knobs import BY_FIELD, KNOBS
from rootfs_kit.request.settings import Source
from tests.support.surroundings import planned_build


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "build.toml").write_text('# a build\nos-version = "bullseye"\nagent-name = "from-file"\n')
    return "build.toml"


def test_the_table_of_knobs_and_the_request_hold_the_same_fields():
    assert {knob.field for knob in KNOBS} == {field.name for field in fields(BuildRequest)} - {
        "distro",
        "script_variables",
    }


def test_no_flag_key_or_variable_means_two_knobs():
    for names in (
        [flag for knob in KNOBS for flag in knob.flags],
        [knob.key for knob in KNOBS],
        [knob.environment for knob in KNOBS if knob.environment],
    ):
        assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("given", "environ", "with_file", "value", "source", "name"),
    [
        ({"os_version": "sid"}, {"OS_VERSION": "bookworm"}, True, "sid", Source.COMMAND_LINE, "--os-version"),
        ({}, {"OS_VERSION": "bookworm"}, True, "bookworm", Source.ENVIRONMENT, "OS_VERSION"),
        ({}, {"OS_VERSION": ""}, True, "bullseye", Source.FILE, "build.toml:2"),
        ({}, {}, True, "bullseye", Source.FILE, "build.toml:2"),
        ({}, {}, False, "trixie", Source.DISTRO, None),
    ],
    ids=["command-line", "environment", "empty-variable-is-not-set", "file", "distro"],
)
def test_the_strongest_source_wins_and_is_remembered(
    tmp_path: Path, config: str, given, environ, with_file, value, source, name
):
    planned = planned_build(tmp_path, environ, config=config if with_file else None, **given)
    setting = planned.settings["os_version"]
    assert planned.request.os_version == value
    assert setting.origin.source is source
    assert name is None or setting.origin.name == name


ANY = {"REPO_URL": "http://any.example"}
X86 = {"REPO_URL_X86_64": "http://x86.example"}
ARM = {"REPO_URL_AARCH64": "http://arm.example"}


@pytest.mark.parametrize(
    ("given", "environ", "mirror", "name"),
    [
        ({}, X86, "http://x86.example", "REPO_URL_X86_64"),
        ({}, ANY | X86, "http://x86.example", "REPO_URL_X86_64"),
        ({}, ANY | {"REPO_URL_X86_64": ""}, "http://any.example", "REPO_URL"),
        ({"arch": "arm64"}, ANY | X86, "http://any.example", "REPO_URL"),
        ({}, X86 | ARM | {"ARCH": "aarch64"}, "http://arm.example", "REPO_URL_AARCH64"),
        ({"mirror": "http://mine.example"}, X86, "http://mine.example", "--mirror"),
    ],
)
def test_a_mirror_for_the_guests_machine_counts_more(tmp_path: Path, given, environ, mirror: str, name: str):
    planned = planned_build(tmp_path, environ, **given)
    assert planned.request.mirror == mirror
    assert planned.settings["mirror"].origin.name == name


def test_the_machine_may_be_named_in_the_file(tmp_path: Path):
    (tmp_path / "build.toml").write_text('arch = "aarch64"\n')
    assert planned_build(tmp_path, X86 | ARM, config="build.toml").request.mirror == "http://arm.example"


def test_what_nobody_set_has_the_built_in_default(tmp_path: Path):
    planned = planned_build(tmp_path)
    assert planned.settings["agent_name"].origin.source is Source.BUILT_IN
    assert planned.request.agent_name == "kata-agent"
    assert planned.request.seccomp
    assert not planned.request.agent_init


def test_a_switch_can_be_turned_off_again_on_the_command_line(tmp_path: Path):
    environ = {"AGENT_INIT": "yes", "SECCOMP": "yes"}
    planned = planned_build(tmp_path, environ, agent_init=False, seccomp=False)
    assert (planned.request.agent_init, planned.request.seccomp) == (False, False)
    assert planned.settings["agent_init"].origin.name == "--no-agent-init"


def test_a_variable_that_an_option_beats_is_not_even_read(tmp_path: Path):
    planned = planned_build(tmp_path, {"SOURCE_DATE_EPOCH": "yesterday"}, source_date_epoch="0")
    assert planned.request.source_date_epoch == 0


# AGENT_POLICY has tests of its own below.
PLAIN_VARIABLES = [knob for knob in KNOBS if knob.environment and not knob.switched_by]


@pytest.mark.parametrize("knob", PLAIN_VARIABLES, ids=[knob.environment for knob in PLAIN_VARIABLES])
def test_every_variable_of_osbuilder_reaches_the_request(tmp_path: Path, knob):
    samples = {
        "agent_init": ("yes", True),
        "seccomp": ("no", False),
        "confidential": ("yes", True),
        "selinux": ("yes", True),
        "rootfs_only": ("yes", True),
        "arch": ("aarch64", "aarch64"),
        "mirror": ("http://mirror.example/debian", "http://mirror.example/debian"),
        "components": ("main contrib", ("main", "contrib")),
        "extra_packages": ("strace,jq", ("strace", "jq")),
        "os_version": ("bookworm", "bookworm"),
        "source_date_epoch": ("86400", 86400),
        "osbuilder_version": ("4.1.0-abc", "4.1.0-abc"),
        "agent_name": ("my-agent", "my-agent"),
        "graceful_exit": ("1", True),
        "image_registry": ("registry.example", "registry.example"),
        "container_runtime": ("crun", "crun"),
    }
    text, value = samples.get(knob.field, ("given", tmp_path / "given"))
    request = planned_build(tmp_path, {knob.environment: text}).request
    assert getattr(request, knob.field) == value


def test_the_policy_file_counts_only_when_its_switch_says_yes(tmp_path: Path):
    off = planned_build(tmp_path, {"AGENT_POLICY_FILE": "p.rego"})
    assert off.request.agent_policy is None
    assert off.notes == ("AGENT_POLICY_FILE is set and not used: AGENT_POLICY=yes would switch it on",)
    on = planned_build(tmp_path, {"AGENT_POLICY": "yes", "AGENT_POLICY_FILE": "p.rego"})
    assert on.request.agent_policy == tmp_path / "p.rego"
    assert not on.notes


def test_a_policy_that_the_environment_switches_off_stays_off(tmp_path: Path):
    (tmp_path / "build.toml").write_text('agent-policy = "p.rego"\n')
    assert planned_build(tmp_path, {"AGENT_POLICY": "no"}, config="build.toml").request.agent_policy is None
    assert planned_build(tmp_path, {"AGENT_POLICY": "yes"}, config="build.toml").request.agent_policy is not None


def test_the_agent_of_a_stronger_source_replaces_that_of_a_weaker_one(tmp_path: Path):
    planned = planned_build(tmp_path, {"AGENT_SOURCE_BIN": "a"}, agent_tarball="b")
    assert planned.request.agent_bin is None
    assert planned.request.agent_tarball == tmp_path / "b"
    assert planned.notes == (
        "environment, AGENT_SOURCE_BIN: not used, since the agent comes from the command line, --agent-tarball",
    )


def test_asking_for_the_probe_by_name_accepts_it(tmp_path: Path):
    planned = planned_build(tmp_path, agent="probe")
    assert planned.request.allow_probe_agent
    assert str(planned.settings["allow_probe_agent"].origin) == "because of --agent probe"
    assert not planned_build(tmp_path, agent="probe", allow_probe_agent=False).request.allow_probe_agent


def test_the_rootfs_is_named_for_the_distribution_in_the_working_directory(tmp_path: Path):
    assert planned_build(tmp_path).request.rootfs_dir == tmp_path / "rootfs-debian"


def test_architecture_defaults_to_this_hosts_and_knows_other_names(tmp_path: Path):
    assert planned_build(tmp_path).request.arch == "x86_64"
    assert planned_build(tmp_path, arch="arm64").request.arch == "aarch64"
    assert planned_build(tmp_path, {"ARCH": "ppc64el"}).request.arch == "ppc64le"


def test_a_release_is_meant_by_name_number_or_alias(tmp_path: Path):
    for word in ("bookworm", "12", "oldstable"):
        assert planned_build(tmp_path, os_version=word).request.os_version == "bookworm"


def test_every_default_in_the_help_is_the_requests_own():
    assert BY_FIELD["agent_name"].default_shown == "kata-agent"
    assert BY_FIELD["seccomp"].default_shown == "yes"
    assert BY_FIELD["agent_bin"].default_shown == ""
