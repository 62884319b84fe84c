"""Which builds a description asks for, and what is said of a wrong one."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from rootfs_kit.cli import cli
from rootfs_kit.cli.outcome import run
from rootfs_kit.errors import UsageError
from rootfs_kit.matrix.cells import plan_matrix, read_cells
from rootfs_kit.matrix.commands import handed_on
from rootfs_kit.matrix.kubernetes import job_name
from rootfs_kit.request.config import read_config
from rootfs_kit.request.surroundings import Surroundings
from tests.support.surroundings import TODAY

DESCRIPTION = """\
distro = "debian"
agent = "probe"
rootfs-dir = "out"

[matrix]
os-version = ["bookworm", "trixie"]
agent-init = [false, true]
"""
EXCLUDING = """
[[matrix.exclude]]
os-version = "bookworm"
agent-init = true
"""


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return Surroundings({}, tmp_path, "x86_64", TODAY)


def described(directory: Path, text: str = DESCRIPTION) -> Path:
    file = directory / "build.toml"
    file.write_text(text)
    return file


def refusal(directory: Path, text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_cells(described(directory, text))
    return caught.value


def test_every_combination_is_a_build_with_a_name_of_its_own(tmp_path: Path, around: Surroundings):
    builds = plan_matrix(described(tmp_path), (), around)
    assert [build.name for build in builds] == [
        "bookworm-systemd", "bookworm-agent-init", "trixie-systemd", "trixie-agent-init",
    ]  # fmt: skip
    assert [build.rootfs_dir for build in builds] == [tmp_path / "out" / build.name for build in builds]
    assert [(b.planned.request.os_version, b.planned.request.agent_init) for b in builds] == [
        ("bookworm", False), ("bookworm", True), ("trixie", False), ("trixie", True),
    ]  # fmt: skip


def test_a_rootfs_is_not_called_as_the_archive_that_its_agent_comes_from(tmp_path: Path):
    text = DESCRIPTION + 'agent-tarball = ["kata-agent-3.9.tar.zst"]\n'
    assert read_cells(described(tmp_path, text))[0].name == "bookworm-systemd-kata-agent-3.9"


def test_what_is_excluded_is_left_out(tmp_path: Path):
    names = [cell.name for cell in read_cells(described(tmp_path, DESCRIPTION + EXCLUDING))]
    assert names == ["bookworm-systemd", "trixie-systemd", "trixie-agent-init"]


def test_one_build_from_the_same_file_has_no_use_for_the_matrix(tmp_path: Path):
    assert read_config(described(tmp_path)).distro == "debian"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("agent-init = [false", 'agent-init = ["no"', "agent-init wants a list of true and false"),
        ('os-version = ["bookworm", "trixie"]', 'os-version = "trixie"', "os-version wants a list of strings"),
        ('os-version = ["bookworm", "trixie"]', "os-version = []", "os-version wants a list of strings"),
        ("os-version = [", "os-verzion = [", 'line 6: unknown key "os-verzion"'),
        ("os-version = [", "rootfs-dir = [", 'line 6: unknown key "rootfs-dir"'),
        ('exclude]]\nos-version = "bookworm"', 'exclude]]\nos-version = "sid"', "'sid' is none of the values"),
        ('exclude]]\nos-version = "bookworm"', 'exclude]]\narch = "x86_64"', 'unknown key "arch"'),
        ('"bookworm", "trixie"]\nagent-init = [false, true]', '"bookworm"]\nagent-init = [true]', "nothing is left"),
    ],
)
def test_a_slip_is_told_with_its_line(tmp_path: Path, old: str, new: str, found: str):
    assert old in DESCRIPTION + EXCLUDING
    assert found in refusal(tmp_path, (DESCRIPTION + EXCLUDING).replace(old, new, 1)).found


def test_a_file_of_one_build_is_no_matrix(tmp_path: Path):
    assert refusal(tmp_path, DESCRIPTION.partition("[matrix]")[0]).found.endswith("there is no [matrix] in it")


def test_builds_of_one_name_are_refused(tmp_path: Path):
    text = '[matrix]\nagent-bin = ["a/kata-agent", "b/kata-agent"]\n'
    assert "two of its builds would be called kata-agent" in refusal(tmp_path, text).found


def test_what_cannot_be_built_is_told_all_at_once(tmp_path: Path, around: Surroundings):
    text = DESCRIPTION.replace('"trixie"]', '"trixy"]\nselinux = [false, true]')
    with pytest.raises(UsageError) as caught:
        plan_matrix(described(tmp_path, text), (), around)
    assert caught.value.found.startswith("5 of 8 cannot be built:")
    assert "bookworm-selinux-agent-init: " in caught.value.found
    assert 'trixy-systemd: there is no release "trixy"' in caught.value.found
    assert "[[matrix.exclude]]" in caught.value.hint


def test_a_ci_gets_the_command_of_each_build(tmp_path: Path, around: Surroundings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    builds = plan_matrix(described(tmp_path), (), around)
    entries = json.loads(handed_on(builds, "github", None, None))["include"]
    assert [entry["name"] for entry in entries] == [build.name for build in builds]
    assert shlex.split(entries[1]["run"]) == [
        "rootfs-kit", "build", "--config", "build.toml", "--os-version", "bookworm", "--agent-init",
        "--rootfs-dir", "out/bookworm-agent-init",
    ]  # fmt: skip
    assert {(entry["distro"], entry["arch"], entry["init"]) for entry in entries} == {
        ("debian", "x86_64", "systemd"), ("debian", "x86_64", "agent"),
    }  # fmt: skip


def test_a_cluster_gets_jobs_that_kubernetes_takes(tmp_path: Path, around: Surroundings):
    import kubernetes_validate

    text = DESCRIPTION.replace("agent-init =", 'arch = ["x86_64", "aarch64"]\nagent-init =')
    jobs = yaml.safe_load(
        handed_on(plan_matrix(described(tmp_path, text), (), around), "kubernetes", "image:1", "work")
    )
    assert len(jobs["items"]) == 8
    assert len({job["metadata"]["name"] for job in jobs["items"]}) == 8
    for job in jobs["items"]:
        kubernetes_validate.validate(job, "1.33", strict=True)
    pods = [job["spec"]["template"]["spec"] for job in jobs["items"]]
    assert [pod["nodeSelector"]["kubernetes.io/arch"] for pod in pods[:4]] == ["amd64", "amd64", "arm64", "arm64"]
    assert pods[0]["containers"][0]["args"][:4] == ["build", "--config", "/work/build.toml", "--os-version"]
    assert pods[0]["volumes"][0]["persistentVolumeClaim"]["claimName"] == "work"


OF_THEIR_OWN = """\
distro = "mine"
agent = "probe"

[matrix]
agent-init = [false, true]
"""


def own_distro(directory: Path) -> Path:
    (directory / "mine").mkdir(parents=True)
    (directory / "mine/distro.toml").write_text('extends = "debian"\n')
    return directory


def test_a_ci_finds_the_distributions_and_the_engines_that_were_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    own_distro(tmp_path / "our distros")
    described(tmp_path, OF_THEIR_OWN)
    monkeypatch.chdir(tmp_path)
    named = ["--distros-dir", "our distros", "--engine", "docker", "--engine", "docker:ssh://b"]
    assert run(cli, ["matrix", "build.toml", *named, "--format", "github"]) == 0
    commands = [shlex.split(entry["run"]) for entry in json.loads(capsys.readouterr().out)["include"]]
    assert [words[words.index("--engine") + 1] for words in commands] == ["docker", "docker:ssh://b"]
    for words in commands:
        assert run(cli, ["show", *words[2:], "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["distro"]["name"] == "mine"


def test_a_cluster_finds_the_distributions_and_the_engines_that_were_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    own_distro(tmp_path / "project/ours")
    described(tmp_path / "project", OF_THEIR_OWN)
    monkeypatch.chdir(tmp_path)
    to_a_cluster = ["--format", "kubernetes", "--image", "image:1", "--claim", "work"]
    named = ["--distros-dir", "project/ours", "--engine", "host"]
    assert run(cli, ["matrix", "project/build.toml", *named, *to_a_cluster]) == 0
    jobs = yaml.safe_load(capsys.readouterr().out)["items"]
    for job in jobs:
        (container,) = job["spec"]["template"]["spec"]["containers"]
        words = container["args"]
        assert words[words.index("--distros-dir") + 1] == "/work/ours"
        assert words[words.index("--engine") + 1] == "host"


WITH_PATHS = """\
agent-bin = "agents/old"

[matrix]
distro = ["./mine", "debian"]
agent-bin = ["agents/kata-agent", "{agent}"]
overlay-dir = ["overlay"]
"""


def described_with_paths(project: Path) -> Path:
    """A description that names what lies beside it, and an agent that lies elsewhere."""
    own_distro(project)
    (project / "agents").mkdir()
    (project / "overlay").mkdir()
    for agent in (project / "agents/kata-agent", project.parent / "other-agent"):
        agent.touch()
    return described(project, WITH_PATHS.format(agent=project.parent / "other-agent"))


def test_paths_count_from_where_the_description_is(tmp_path: Path, around: Surroundings):
    project = tmp_path / "project"
    builds = plan_matrix(described_with_paths(project), (), around)
    assert [build.name for build in builds] == [
        "mine-kata-agent-overlay", "mine-other-agent-overlay",
        "debian-kata-agent-overlay", "debian-other-agent-overlay",
    ]  # fmt: skip
    assert [build.planned.distro.name for build in builds] == ["mine", "mine", "debian", "debian"]
    agents = [project / "agents/kata-agent", tmp_path / "other-agent"]
    assert [build.planned.request.agent_bin for build in builds] == agents * 2
    assert {build.planned.request.overlay_dirs for build in builds} == {(project / "overlay",)}


def test_paths_are_handed_on_as_they_are_found_there(
    tmp_path: Path, around: Surroundings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    builds = plan_matrix(described_with_paths(tmp_path / "project"), (), around)
    first, second, *_ = json.loads(handed_on(builds, "github", None, None))["include"]
    assert shlex.split(first["run"])[2:] == [
        "project/mine", "--config", "project/build.toml", "--agent-bin", "project/agents/kata-agent",
        "--overlay-dir", "project/overlay", "--rootfs-dir", "project/matrix/mine-kata-agent-overlay",
    ]  # fmt: skip
    assert str(tmp_path / "other-agent") in shlex.split(second["run"])
    monkeypatch.chdir(tmp_path / "project")
    first, *_ = json.loads(handed_on(builds, "github", None, None))["include"]
    assert shlex.split(first["run"])[2:6] == ["./mine", "--config", "build.toml", "--agent-bin"]
    job = yaml.safe_load(handed_on(builds, "kubernetes", "image:1", "work"))["items"][0]
    assert job["spec"]["template"]["spec"]["containers"][0]["args"][1:7] == [
        "/work/mine", "--config", "/work/build.toml", "--agent-bin", "/work/agents/kata-agent", "--overlay-dir",
    ]  # fmt: skip


def test_distributions_that_a_cluster_would_not_find_are_refused(tmp_path: Path, around: Surroundings):
    elsewhere = own_distro(tmp_path / "elsewhere")
    (tmp_path / "project").mkdir()
    builds = plan_matrix(described(tmp_path / "project", OF_THEIR_OWN), (str(elsewhere),), around)
    with pytest.raises(UsageError, match=r"elsewhere is not beside build\.toml"):
        handed_on(builds, "kubernetes", "image:1", "work", distros_dirs=(str(elsewhere),))


def test_names_of_jobs_are_short_and_plain():
    assert job_name("Debian_13/x", 7) == "rootfs-7-debian-13-x"
    assert len(job_name("x" * 200, 999)) == 63


@pytest.mark.parametrize(("image", "claim"), [(None, "work"), ("image:1", None)])
def test_a_cluster_wants_an_image_and_a_volume(tmp_path: Path, around: Surroundings, image, claim):
    with pytest.raises(UsageError, match="is not given"):
        handed_on(plan_matrix(described(tmp_path), (), around), "kubernetes", image, claim)
