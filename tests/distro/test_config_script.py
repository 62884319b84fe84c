"""A config.sh of Kata's osbuilder is read in a bash of its own, and tells all that a distro.toml does."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rootfs_kit.axes import InitMode
from rootfs_kit.backends import Plan, Site
from rootfs_kit.backends.shell import Shell, dockerfile
from rootfs_kit.distro import Distro, config_script
from rootfs_kit.distro.search import discover, find_distro
from rootfs_kit.engines.container.image import recipe
from rootfs_kit.errors import UsageError
from rootfs_kit.hookspecs import hookimpl
from rootfs_kit.plugins import plugin_manager
from rootfs_kit.request import BuildRequest
from tests.support.config_scripts import CONFIG, describe
from tests.support.requirements import needs_program
from tests.support.surroundings import planned_build

pytestmark = needs_program("bash")


def read(tmp_path: Path, config: str) -> Distro:
    return find_distro(str(describe(tmp_path / "mine", config)))


def test_its_variables_become_a_distribution(tmp_path: Path) -> None:
    distro = read(tmp_path, CONFIG)
    assert (distro.name, distro.title, distro.backend, distro.default_version) == ("mine", "Awesome", "shell", "7")
    assert distro.packages.base == ("chrony", "iptables")
    assert distro.packages.init == {InitMode.SYSTEMD: ("systemd",)}
    assert distro.packages.features["seccomp"] == ("libseccomp2",)
    assert distro.excluded_machines() == ("s390x",)
    assert distro.script is not None
    assert distro.script.variables["ARCH_EXCLUDE_LIST"] == ("s390x",)
    assert not distro.script.may_fail


@pytest.mark.parametrize(
    ("line", "modes"),
    [
        ("INIT_PROCESS=systemd", (InitMode.SYSTEMD, InitMode.AGENT)),
        ("INIT_PROCESS=kata-agent", (InitMode.AGENT,)),
        ("unset INIT_PROCESS", (InitMode.SYSTEMD, InitMode.AGENT)),
        ("if [[ ${AGENT_INIT} = yes ]]; then die no; fi", (InitMode.SYSTEMD,)),
    ],
)
def test_init_process_and_what_it_refuses_say_which_init_modes_there_are(
    tmp_path: Path, line: str, modes: tuple[InitMode, ...]
) -> None:
    assert read(tmp_path, f"{CONFIG}{line}\n").init_modes == modes


def test_an_init_process_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='INIT_PROCESS is "openrc"'):
        read(tmp_path, f"{CONFIG}INIT_PROCESS=openrc\n")


def test_one_that_wants_to_be_told_a_release_takes_any(tmp_path: Path) -> None:
    distro = read(tmp_path, '[[ -z "${OS_VERSION}" ]] && echo "OS_VERSION is required" && exit 1\n' + CONFIG)
    assert (distro.default_version, distro.releases) == ("", ())
    assert distro.release("noble").name == "noble"
    with pytest.raises(UsageError, match="wants to be told"):
        distro.release()


def test_another_release_than_its_own_may_be_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path, CONFIG).release("8").name == "8"


def test_one_may_read_anothers_through_script_dir(tmp_path: Path) -> None:
    describe(tmp_path / "parent")
    child = describe(tmp_path / "child", 'source "${script_dir}/parent/${CONFIG_SH}"\nOS_NAME=Child\n')
    distro = find_distro(str(child))
    assert (distro.title, distro.packages.base) == ("Child", ("chrony", "iptables"))
    plan = Shell().plan(BuildRequest(tmp_path / "out", arch="x86_64"), distro, Site(Path("/t"), Path("/f")))
    assert plan.files["distros/parent"] == tmp_path / "parent"


def test_its_environment_holds_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_MINE", "x")
    monkeypatch.setenv("EXTRA_PKGS", "strace")
    assert read(tmp_path, f'{CONFIG}OS_NAME="<${{SECRET_OF_MINE}}${{EXTRA_PKGS}}>"\n').title == "<>"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("OS_NAME=a\nno-such-command\n", "config.sh:2"),
        ("echo stop here >&2; exit 3\n", "stop here"),
        ("exit 0\n", "it ended the shell"),
        ("if [[\n", "unexpected token"),
        ("yes | head -c 40000000\n", "it ended the shell"),
        ("printf 'no \\033[2J \\377 words'; exit 1\n", "words"),
    ],
    ids=["error", "exit 3", "exit 0", "no shell script", "endless output", "garbage"],
)
def test_one_that_cannot_be_read_is_told_with_its_last_words(tmp_path: Path, config: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, config)
    assert caught.value.doing == f"reading {tmp_path / 'mine/config.sh'}"
    assert told in caught.value.found


def test_one_that_does_not_end_is_stopped_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_script, "READING_SECONDS", 1)
    with pytest.raises(UsageError, match="did not end within 1 seconds"):
        read(tmp_path, f"sleep 1000 & echo $! > {tmp_path}/pid; wait\n")
    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(child)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_it_prints_never_passes_for_a_variable(tmp_path: Path) -> None:
    distro = read(tmp_path, f"printf 'OS_NAME\\0001\\000Evil\\000'\n{CONFIG}printf 'PACKAGES\\0001\\000evil\\000'\n")
    assert (distro.title, distro.packages.base) == ("Awesome", ("chrony", "iptables"))


def test_only_in_a_directory_that_was_named_is_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(tmp_path / "plugged/mine", f"touch {tmp_path}/was-run\n{CONFIG}")

    class Plugin:
        @hookimpl
        def rootfs_kit_distros(self) -> list[Path]:
            return [tmp_path / "plugged"]

    manager, plugin = plugin_manager(), Plugin()
    manager.register(plugin)
    try:
        assert "mine" not in [distro.name for distro in discover()]
        assert not (tmp_path / "was-run").exists()
        assert "mine" in [distro.name for distro in discover([tmp_path / "plugged"])]
        assert (tmp_path / "was-run").exists()
    finally:
        manager.unregister(plugin)


def test_with_both_descriptions_the_toml_counts(tmp_path: Path) -> None:
    directory = describe(tmp_path / "mine", f"touch {tmp_path}/was-run\n")
    (directory / "distro.toml").write_text("title = 4\n")
    with pytest.raises(UsageError, match=r"distro\.toml: line 1: "):
        find_distro(str(directory))
    assert not (tmp_path / "was-run").exists()


def test_an_excluded_architecture_is_refused(tmp_path: Path) -> None:
    describe(tmp_path / "mine")
    with pytest.raises(UsageError, match='it is not made for "s390x"'):
        planned_build(tmp_path, distro="mine", distros_dirs=(str(tmp_path),), arch="s390x")


def test_a_request_reaches_it_under_osbuilders_names(tmp_path: Path) -> None:
    distro = read(tmp_path, CONFIG)
    request = BuildRequest(
        tmp_path / "out", arch="ppc64le", agent_init=True, seccomp=False, extra_packages=("strace", "jq"),
        os_version="8", components=("main", "extra"), source_date_epoch=7,
    )  # fmt: skip
    plan = Shell().plan(request, distro, Site(Path("/tree"), Path("/files"), "http://mirror.example/mine"))
    [command] = plan.commands
    assert command.argv == ("bash", "/files/run.sh", "build_rootfs", "/files/distros/mine", "/tree")
    asked = {
        "ROOTFS_DIR": "/tree", "AGENT_INIT": "yes", "SECCOMP": "no", "SELINUX": "no", "EXTRA_PKGS": "strace jq",
        "OS_VERSION": "8", "REPO_URL": "http://mirror.example/mine", "REPO_COMPONENTS": "main extra", "LIBC": "gnu",
        "ARCH": "ppc64le", "SOURCE_DATE_EPOCH": "7", "AGENT_BIN": "kata-agent",
    }  # fmt: skip
    assert {name: command.environment[name] for name in asked} == asked
    assert [tool.program for tool in plan.tools] == ["bash", "dnf"]
    assert plan.packages == ("chrony", "iptables", "strace", "jq")


def test_osbuilders_other_variables_reach_it_when_it_is_read(tmp_path: Path) -> None:
    config = (
        '[[ "${MEASURED_ROOTFS}" = yes ]] && PACKAGES+=" cryptsetup-bin"\n'
        'OS_NAME="${DISTRO_REPO}|${DNF_CONF}|${PKG_MANAGER}|${REPO_URL_X86_64}|${SECRET_OF_MINE}"\n'
    )
    describe(tmp_path / "mine", CONFIG + config)
    (tmp_path / "dnf.conf").touch()
    environ = {
        "MEASURED_ROOTFS": "yes", "DISTRO_REPO": "1", "DNF_CONF": "dnf.conf", "PKG_MANAGER": "dnf --nobest",
        "REPO_URL_X86_64": "http://mirror.example/x", "SECRET_OF_MINE": "x",
    }  # fmt: skip
    planned = planned_build(tmp_path, environ, distro=str(tmp_path / "mine"))
    assert planned.distro.packages.base == ("chrony", "iptables", "cryptsetup-bin")
    assert planned.distro.title == f"1|{tmp_path}/dnf.conf|dnf --nobest|http://mirror.example/x|"
    assert "cryptsetup-bin" not in planned_build(tmp_path, distro=str(tmp_path / "mine")).distro.packages.base


def plan_told(tmp_path: Path, site: Site, library: bool = False, **environ: str) -> Plan:
    (tmp_path / "dnf.conf").touch()
    describe(tmp_path / "mine", library="build_rootfs() { :; }\n" if library else None)
    planned = planned_build(tmp_path, environ, distro=str(tmp_path / "mine"), arch="x86_64")
    return Shell().plan(planned.request, planned.distro, replace(site, mirror=planned.request.mirror))


def test_they_reach_its_build_wherever_that_is(tmp_path: Path) -> None:
    site = Site(Path("/tree"), Path("/files"))
    plan = plan_told(
        tmp_path, site, MEASURED_ROOTFS="yes", DISTRO_REPO="1", DNF_CONF="dnf.conf", PKG_MANAGER="yum -v",
        REPO_URL="http://mirror.example/any", REPO_URL_X86_64="http://mirror.example/x", REPO_URL_AARCH64="file:///a",
    )  # fmt: skip
    [command] = plan.commands
    told = {
        "MEASURED_ROOTFS": "yes", "DISTRO_REPO": "1", "DNF_CONF": "/files/dnf.conf", "PKG_MANAGER": "yum -v",
        "REPO_URL": "http://mirror.example/x", "REPO_URL_X86_64": "http://mirror.example/x",
        "REPO_URL_AARCH64": "file:///a",
    }  # fmt: skip
    assert {name: command.environment.get(name) for name in told} == told
    assert plan.files["dnf.conf"] == tmp_path / "dnf.conf"
    assert [tool.program for tool in plan.tools] == ["bash", "yum"]


def test_its_hooks_on_the_host_find_the_file_where_the_user_has_it(tmp_path: Path) -> None:
    plan = plan_told(tmp_path, Site(Path("/tree"), Path("/files")), library=True, DNF_CONF="dnf.conf")
    assert plan.before_container[0].environment["DNF_CONF"] == str(tmp_path / "dnf.conf")
    assert plan.commands[0].environment["DNF_CONF"] == "/files/dnf.conf"


def test_without_them_it_is_told_what_osbuilder_tells(tmp_path: Path) -> None:
    [command] = plan_told(tmp_path, Site(Path("/tree"), Path("/files"))).commands
    assert command.environment["MEASURED_ROOTFS"] == "no"
    assert not {"DISTRO_REPO", "DNF_CONF", "PKG_MANAGER", "REPO_URL"} & set(command.environment)


def test_a_configuration_of_dnf_that_is_not_there_is_told(tmp_path: Path) -> None:
    describe(tmp_path / "mine")
    with pytest.raises(UsageError, match=r"DNF_CONF\): .*nowhere does not exist"):
        planned_build(tmp_path, {"DNF_CONF": "nowhere"}, distro=str(tmp_path / "mine"))


def test_a_distribution_without_a_config_sh_says_that_it_has_no_use_for_them(tmp_path: Path) -> None:
    environ = {"DNF_CONF": "nowhere", "DISTRO_REPO": "1", "MEASURED_ROOTFS": "yes"}
    notes = planned_build(tmp_path, environ).notes
    assert [note.split()[0] for note in notes] == ["DISTRO_REPO", "DNF_CONF"]


def test_the_shell_backend_is_for_a_config_sh_only(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"runs a config\.sh"):
        Shell().plan(BuildRequest(tmp_path), find_distro("debian"), Site(tmp_path, tmp_path))


def test_kata_machines_are_read_with_this_hosts_name(tmp_path: Path) -> None:
    assert read(tmp_path, f'{CONFIG}OS_NAME="${{ARCH}}"\n').title == os.uname().machine


DOCKERFILE = """\
#@distro@: an image
ARG IMAGE_REGISTRY=docker.io
FROM ${IMAGE_REGISTRY}/library/awesome:@OS_VERSION@
@SET_PROXY@
RUN pm install pm-tools
@INSTALL_RUST@
"""


def test_the_placeholders_of_a_dockerfile_are_filled_in(tmp_path: Path) -> None:
    directory = describe(tmp_path / "mine")
    request = BuildRequest(tmp_path / "out", os_version="8")
    assert dockerfile(request, find_distro(str(directory))) is None
    (directory / "Dockerfile.in").write_text(DOCKERFILE)
    filled = dockerfile(request, find_distro(str(directory)))
    assert filled is not None
    assert filled.splitlines()[2] == "FROM ${IMAGE_REGISTRY}/library/awesome:8"
    assert "@" not in filled


def test_the_dockerfile_makes_the_builder_image_with_the_registry_that_is_asked_for(tmp_path: Path) -> None:
    directory = describe(tmp_path / "mine")
    (directory / "Dockerfile.in").write_text(DOCKERFILE)
    request, distro = BuildRequest(tmp_path / "out"), find_distro(str(directory))
    assert recipe(distro, request, None).dockerfile.splitlines()[1] == "ARG IMAGE_REGISTRY=docker.io"
    other = recipe(distro, request, "registry.example/1")
    assert other.dockerfile.splitlines()[1] == "ARG IMAGE_REGISTRY=registry.example/1"
    assert other.tag != recipe(distro, request, None).tag
