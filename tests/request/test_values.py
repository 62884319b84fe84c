"""How the texts of options and variables are read, and what is said of those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfs_kit.errors import UsageError
from rootfs_kit.request.values import BadValue, Epoch, File, Machine, Switch, Words
from tests.support.surroundings import planned_build, planned_overlay


@pytest.mark.parametrize(
    ("variable", "value", "wants"),
    [
        ("AGENT_INIT", "maybe", "yes or no"),
        ("AGENT_INIT", "1", "yes or no"),
        ("AGENT_POLICY", "on", "yes or no"),
        ("MEASURED_ROOTFS", "true", "yes or no"),
        ("SECCOMP", "YES", "yes or no"),
        ("SOURCE_DATE_EPOCH", "-1", "a whole number of seconds since 1970"),
        ("SOURCE_DATE_EPOCH", "1e9", "a whole number of seconds since 1970"),
        ("SOURCE_DATE_EPOCH", "9" * 5000, "a whole number of seconds since 1970"),
        ("REPO_URL", "mirror.example/debian", "an http, https or file URL"),
        ("REPO_URL_X86_64", "mirror.example/debian", "an http, https or file URL"),
        ("REPO_URL", "http://", "an http, https or file URL"),
        ("REPO_URL", "http://mirror.example/debian trixie main", "an http, https or file URL"),
        ("AGENT_BIN", "../kata-agent", "a file name without a slash"),
        ("AGENT_BIN", "..", "a file name without a slash"),
        ("EXTRA_PKGS", "strace --allow-untrusted", "names of packages"),
        ("EXTRA_PKGS", "strace;reboot", "names of packages"),
        ("EXTRA_PKGS", "?true", "names of packages"),
        ("OSBUILDER_VERSION", "1\n2", "one line of text"),
        ("ARCH", "x86-64", "the name of a machine, as uname -m prints it"),
    ],
)
def test_a_bad_variable_is_named_with_its_value_and_what_it_takes(tmp_path: Path, variable, value, wants):
    with pytest.raises(UsageError) as caught:
        planned_build(tmp_path, {variable: value})
    error = caught.value
    assert error.doing == f"reading {variable} from the environment"
    assert error.found
    assert error.hint == f"{variable} takes {wants}."


def test_agent_init_maybe_says_what_was_found(tmp_path: Path):
    with pytest.raises(UsageError, match='"maybe" is neither yes nor no'):
        planned_build(tmp_path, {"AGENT_INIT": "maybe"})


def test_a_bad_option_is_named_by_its_flag(tmp_path: Path):
    with pytest.raises(UsageError, match="reading --agent from the command line"):
        planned_build(tmp_path, agent="kata-agent")


def test_an_empty_option_is_a_mistake_although_an_empty_variable_is_none(tmp_path: Path):
    with pytest.raises(UsageError, match="--rootfs-dir"):
        planned_build(tmp_path, rootfs_dir="")
    assert planned_build(tmp_path, {"ROOTFS_DIR": ""}).request.rootfs_dir == tmp_path / "rootfs-debian"


def test_policy_switched_on_without_a_file_says_which_variable_is_missing(tmp_path: Path):
    with pytest.raises(UsageError, match="AGENT_POLICY is yes, and AGENT_POLICY_FILE names no file"):
        planned_build(tmp_path, {"AGENT_POLICY": "yes"})


def test_an_option_gives_the_policy_that_the_environment_switched_on(tmp_path: Path):
    planned = planned_build(tmp_path, {"AGENT_POLICY": "yes"}, agent_policy="p.rego")
    assert planned.request.agent_policy == tmp_path / "p.rego"


def test_packages_are_parted_by_spaces_or_commas_and_kept_once_in_order(tmp_path: Path):
    planned = planned_build(tmp_path, extra_packages=("strace, jq", "jq,,gdb", " curl=8.1-1 "))
    assert planned.request.extra_packages == ("strace", "jq", "gdb", "curl=8.1-1")


def test_options_that_repeat_keep_their_order(tmp_path: Path):
    request = planned_build(tmp_path, overlay_dirs=("one", "two"), run_scripts=("a", "b")).request
    assert request.overlay_dirs == (tmp_path / "one", tmp_path / "two")
    assert request.run_scripts == (tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", "/base/dir/a"),
        ("./a/.", "/base/dir/a"),
        ("../a", "/base/a"),
        ("../../../a", "/a"),
        ("a/../b", "/base/dir/a/../b"),
        ("/a", "/a"),
        ("~/a", "/base/dir/~/a"),
    ],
)
def test_relative_paths_count_from_the_base_and_links_are_left_to_the_kernel(text: str, path: str):
    assert File("a path", "PATH").from_text(text, Path("/base/dir")) == Path(path)


def test_a_path_in_a_file_may_start_at_home(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert File("a path", "PATH").from_toml("~/a", Path("/base")) == Path("/home/somebody/a")


def test_a_path_with_a_zero_byte_is_refused_before_the_kernel_sees_it():
    with pytest.raises(BadValue, match="zero byte"):
        File("a path", "PATH").from_text("a\0b", Path("/"))


def test_an_overlay_must_be_told_where_it_goes(tmp_path: Path):
    with pytest.raises(UsageError, match="no directory is named for it"):
        planned_overlay(tmp_path)
    assert planned_overlay(tmp_path, {"ROOTFS_DIR": "here"}).request.rootfs_dir == tmp_path / "here"


def test_variables_that_mean_nothing_for_an_overlay_are_left_alone(tmp_path: Path):
    request = planned_overlay(tmp_path, {"OS_VERSION": "bookworm", "EXTRA_PKGS": "strace"}, rootfs_dir="x").request
    assert request.os_version is None
    assert request.extra_packages == ()
    assert request.distro is None


def test_a_container_engine_is_asked_for_as_osbuilder_has_it(tmp_path: Path):
    assert planned_build(tmp_path).request.engine == "auto"
    assert planned_build(tmp_path, {"USE_PODMAN": "1"}).request.engine == "podman"
    assert planned_build(tmp_path, {"USE_PODMAN": "1", "USE_DOCKER": "true"}).request.engine == "docker"
    assert planned_build(tmp_path, {"USE_PODMAN": ""}).request.engine == "auto"
    assert planned_build(tmp_path, {"USE_DOCKER": "1"}, engine="userns").request.engine == "userns"


@pytest.mark.parametrize("word", ["docker:ssh://build@host", "podman:unix:///run/podman.sock", "docker"])
def test_a_container_engine_may_have_an_address(tmp_path: Path, word: str):
    assert planned_build(tmp_path, engine=word).request.engine == word


@pytest.mark.parametrize("word", ["cloud", "host:ssh://host", "docker:", "docker:host"])
def test_an_engine_that_is_none_is_refused_with_all_that_there_are(tmp_path: Path, word: str):
    with pytest.raises(UsageError) as caught:
        planned_build(tmp_path, engine=word)
    assert caught.value.found == f'"{word}" will not do'
    assert caught.value.hint.startswith("--engine takes auto, host, userns, docker or podman")


@given(st.text())
def test_any_text_is_either_read_or_refused_in_words(text: str):
    for kind in (Switch(), Epoch(), Machine(), Words("names", "NAMES", "[a-z]+"), File("a path", "PATH")):
        try:
            kind.from_text(text, Path("/base"))
        except BadValue as error:
            assert str(error)


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers(), min_size=1)))
def test_any_toml_value_is_either_read_or_refused_in_words(value: object):
    for kind in (Switch(), Epoch(), Machine(), Words("names", "NAMES", "[a-z]+"), File("a path", "PATH")):
        try:
            kind.from_toml(value, Path("/base"))
        except BadValue as error:
            assert str(error)
