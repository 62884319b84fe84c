"""Directories with a config.sh are built as Kata's osbuilder builds them: every shape that it documents."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.build.builds import Mirror, left_behind, look, manifest
from tests.support.config_scripts import CONFIG, COPY, build, describe, made_tree
from tests.support.requirements import needs_program, needs_root
from tests.support.small_rpm_repository import NEEDED_TOOLS, RpmRepository, make_repository

pytestmark = [needs_root(), needs_program("bash", "cc", "depmod")]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_tree(tmp_path_factory.mktemp("made") / "tree")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> RpmRepository:
    missing = [tool for tool in NEEDED_TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} on PATH")
    directory = tmp_path_factory.mktemp("rpm")
    of_rpm = shutil.copytree(tree, directory / "tree", symlinks=True)
    shutil.rmtree(of_rpm / "var/lib/dpkg")
    return make_repository(directory, {"awesome-base": of_rpm, "awesome-extra": None})


def test_one_with_a_rootfs_lib_becomes_a_guest_that_passes_its_checks(tmp_path: Path, tree: Path) -> None:
    directory = describe(tmp_path / "awesome", library=COPY.format(tree=tree))
    done = build(directory, tmp_path / "rootfs", "--json")
    assert done.status == 0, done.err
    said = json.loads(done.out)
    assert (said["distro"], said["release"], said["init"], said["checks"]["failed"]) == ("awesome", "7", "systemd", 0)
    assert (tmp_path / "rootfs/usr/bin/kata-agent").is_file()
    assert left_behind(tmp_path / "rootfs") == []
    assert sorted(os.listdir(directory)) == ["config.sh", "rootfs_lib.sh"]


def test_the_agent_as_init_is_asked_for_as_ever(tmp_path: Path, tree: Path) -> None:
    directory = describe(tmp_path / "awesome", library=COPY.format(tree=tree))
    done = build(directory, tmp_path / "rootfs", "-q", AGENT_INIT="yes", OS_VERSION="8")
    assert (done.status, done.err) == (0, "")
    assert manifest(tmp_path / "rootfs")["init"] == "agent"
    assert manifest(tmp_path / "rootfs")["distro"]["release"] == "8"


def test_one_without_is_built_by_dnf_from_the_repository_that_it_names(
    tmp_path: Path, repository: RpmRepository
) -> None:
    directory = describe(
        tmp_path / "awesome",
        f'OS_VERSION=7\nOS_NAME=awesome\nPACKAGES="awesome-base"\nBASE_URL={repository.url}\nGPG_KEY_FILE=key.asc\n',
    )
    shutil.copy(repository.key, directory / "key.asc")
    done = build(directory, tmp_path / "rootfs", "--json", EXTRA_PKGS="awesome-extra")
    assert done.status == 0, done.err
    assert json.loads(done.out)["checks"]["failed"] == 0
    assert {"awesome-base", "awesome-extra"} <= {
        package["name"] for package in manifest(tmp_path / "rootfs")["packages"]["installed"]
    }
    assert not (tmp_path / "rootfs/var/lib/rpm").exists()


def test_packages_that_another_key_signed_are_refused(tmp_path: Path, repository: RpmRepository) -> None:
    directory = describe(
        tmp_path / "awesome",
        f'OS_VERSION=7\nOS_NAME=awesome\nPACKAGES="awesome-base"\nBASE_URL={repository.url}\nGPG_KEY_FILE=key.asc\n',
    )
    shutil.copy(repository.stranger, directory / "key.asc")
    done = build(directory, tmp_path / "rootfs")
    assert done.status == 3
    assert "GPG" in done.err
    assert not (tmp_path / "rootfs").exists()


def test_one_that_names_neither_library_nor_repository_is_told_so(tmp_path: Path) -> None:
    if shutil.which("dnf") is None:
        pytest.skip("needs dnf on PATH")
    done = build(describe(tmp_path / "awesome"), tmp_path / "rootfs")
    assert done.status == 3
    assert "config.sh names no repository" in done.err
    assert "no rootfs_lib.sh" in done.err


EVERY_FUNCTION = """\
build_rootfs() {{
	check_root
	check_program cp || die "no cp"
	check_program no-such-program && die "found what is not there"
	info "about to copy"
	OK "checked"
	warning "mind the step"
	error "only said"
	[[ -f "${{CONFIG_DIR}}/config.sh" ]] || die "CONFIG_DIR is ${{CONFIG_DIR}}"
	[[ "${{1}}" == "${{ROOTFS_DIR}}" ]] || die "ROOTFS_DIR is ${{ROOTFS_DIR}}"
	[[ "${{BIN_AGENT}}" == kata-agent && "${{OS_VERSION}}" == 7 && "${{distro}}" == awesome ]] || die "not told"
	DNF_CONF="$(mktemp)"
	BASE_URL=http://mirror.example/awesome
	generate_dnf_config
	grep -q "baseurl=${{BASE_URL}}" "${{DNF_CONF}}" || die "no configuration of dnf"
	rm "${{DNF_CONF}}"
	cp -a "{tree}/." "${{1}}"
	echo "${{PACKAGES}} / ${{EXTRA_PKGS}}" > "${{1}}/etc/asked-for"
}}
"""


def test_the_functions_and_variables_of_osbuilder_are_there(tmp_path: Path, tree: Path) -> None:
    directory = describe(tmp_path / "awesome", library=EVERY_FUNCTION.format(tree=tree))
    done = build(directory, tmp_path / "rootfs", "-v", EXTRA_PKGS="kmod")
    assert done.status == 0, done.err
    for line in ("INFO: about to copy", "[OK] checked", "WARNING: mind the step", "ERROR: only said"):
        assert line in done.err
    assert (tmp_path / "rootfs/etc/asked-for").read_text() == "chrony iptables systemd libseccomp2 / kmod\n"


MEASURED = """\
{copy}eval "$(declare -f build_rootfs | sed '1s/build_rootfs/copy/')"
build_rootfs() {{
	copy "$1"
	echo "${{PACKAGES}} / ${{MEASURED_ROOTFS}} ${{DISTRO_REPO}} ${{REPO_URL_RISCV64}}" > "$1/etc/asked-for"
	cat "${{DNF_CONF}}" >> "$1/etc/asked-for"
}}
"""


def test_variables_of_osbuilders_that_we_have_no_use_for_reach_it_all_the_same(tmp_path: Path, tree: Path) -> None:
    config = f'{CONFIG}[[ "${{MEASURED_ROOTFS}}" = yes ]] && PACKAGES+=" cryptsetup-bin"\n'
    directory = describe(tmp_path / "awesome", config, MEASURED.format(copy=COPY.format(tree=tree)))
    (tmp_path / "my.conf").write_text("[main]\n")
    done = build(
        directory, tmp_path / "rootfs", "-q", MEASURED_ROOTFS="yes", DISTRO_REPO="1", DNF_CONF="my.conf",
        REPO_URL_RISCV64="http://mirror.example",
    )  # fmt: skip
    assert (done.status, done.err) == (0, "")
    assert (tmp_path / "rootfs/etc/asked-for").read_text() == (
        "chrony iptables systemd libseccomp2 cryptsetup-bin / yes 1 http://mirror.example\n[main]\n"
    )
    assert "cryptsetup-bin" in manifest(tmp_path / "rootfs")["packages"]["requested"]


def test_dnf_is_the_one_that_is_named_and_has_the_configuration_that_is_named(
    tmp_path: Path, repository: RpmRepository
) -> None:
    directory = describe(tmp_path / "awesome", 'OS_VERSION=7\nOS_NAME=awesome\nPACKAGES="awesome-base"\n')
    conf = (
        f"[main]\nreposdir=/nonexistent\n[ours]\nname=ours\nbaseurl={repository.url}\ngpgkey=file://{repository.key}\n"
    )
    (tmp_path / "my.conf").write_text(f"{conf}gpgcheck=1\n")
    wrapper = tmp_path / "bin/my-dnf"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nexec dnf "$@"\n')
    wrapper.chmod(0o755)
    done = build(
        directory, tmp_path / "rootfs", "--json", DNF_CONF="my.conf", PKG_MANAGER=f"{wrapper} --setopt=retries=1"
    )
    assert done.status == 0, done.err
    assert json.loads(done.out)["checks"]["failed"] == 0
    assert "--setopt=retries=1 -y --noplugins" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize(
    ("library", "told"),
    [
        ('build_rootfs() { die "no mirror today"; }\n', "ERROR: no mirror today"),
        ("build_rootfs() {\n\tfalse\n\techo on\n}\n", "Failed at rootfs_lib.sh:2: false"),
        ("build_rootfs() {\n\tfalse | cat\n}\n", "Failed at rootfs_lib.sh:2"),
        ("build_something_else() { :; }\nunset -f build_rootfs\n", "there is no function build_rootfs"),
    ],
    ids=["die", "an error", "an error in a pipe", "no build_rootfs"],
)
def test_a_failure_is_told_with_its_place_and_leaves_nothing(tmp_path: Path, library: str, told: str) -> None:
    done = build(describe(tmp_path / "awesome", library=library), tmp_path / "rootfs")
    assert done.status == 3
    assert told in done.err
    assert not (tmp_path / "rootfs").exists()
    assert left_behind(tmp_path / "rootfs") == []


@pytest.mark.parametrize(
    ("library", "told"),
    [
        ('build_rootfs() {{ rmdir "$1"; ln -s "{victim}" "$1"; }}\n', "a link is in its place"),
        ('build_rootfs() {{ rmdir "$1"; }}\n', "it is not there any more"),
    ],
    ids=["a link", "nothing"],
)
def test_a_tree_in_whose_place_is_something_else_is_never_touched(
    tmp_path: Path, tree: Path, library: str, told: str
) -> None:
    """A link to a tree that was made before, or to this machine's own root, would be furnished and scrubbed."""
    victim = tmp_path / "victim"
    shutil.copytree(tree, victim, symlinks=True)
    before = look(victim)
    directory = describe(tmp_path / "awesome", library=library.format(victim=victim))
    done = build(directory, tmp_path / "rootfs", "--no-check")
    assert (done.status, told in done.err) == (3, True), done.err
    assert look(victim) == before
    assert left_behind(tmp_path / "rootfs") == []


def test_a_failure_is_success_where_it_is_allowed_and_asked_for(tmp_path: Path) -> None:
    directory = describe(tmp_path / "awesome", f"{CONFIG}BUILD_CAN_FAIL=1\n", "build_rootfs() { false; }\n")
    marker = tmp_path / "awesome_fail"
    assert build(directory, tmp_path / "rootfs").status == 3
    assert not marker.exists()
    done = build(directory, tmp_path / "rootfs", GRACEFUL_EXIT="1")
    assert done.status == 0
    assert "allowed to fail" in done.err
    assert "warning: running bash: it ended with exit status 1; its last lines:\n      " in done.err
    assert "Failed at rootfs_lib.sh:1: false\n" in done.err
    assert "\\n" not in done.err
    assert marker.is_file()
    assert not (tmp_path / "rootfs").exists()
    said = build(directory, tmp_path / "rootfs", "--json", "--graceful-exit")
    assert json.loads(said.out) == {"allowed_failure": str(marker)}


def test_asking_alone_does_not_allow_a_failure(tmp_path: Path) -> None:
    directory = describe(tmp_path / "awesome", library="build_rootfs() { false; }\n")
    assert build(directory, tmp_path / "rootfs", GRACEFUL_EXIT="1").status == 3
    assert not (tmp_path / "awesome_fail").exists()


def test_an_excluded_architecture_is_not_built(tmp_path: Path) -> None:
    config = CONFIG.replace("(s390x)", f"(s390x {os.uname().machine})")
    done = build(describe(tmp_path / "awesome", config, "build_rootfs() { touch /tmp/never; }\n"), tmp_path / "rootfs")
    assert done.status == 2
    assert f'it is not made for "{os.uname().machine}"' in done.err


def test_what_it_prints_cannot_take_over_the_terminal(tmp_path: Path, tree: Path) -> None:
    noise = r"printf '\033[2J\033]0;title\007 \377\376 \r\n'; head -c 100000 /dev/zero; echo"
    library = f"{COPY.format(tree=tree)}eval \"$(declare -f build_rootfs | sed '1s/build_rootfs/copy/')\"\n"
    library += f'build_rootfs() {{ {noise}; copy "$1"; }}\n'
    directory = describe(tmp_path / "awesome", f"{noise}\n{CONFIG}", library)
    done = build(directory, tmp_path / "rootfs", "-v")
    assert done.status == 0, done.err[-2000:]
    assert not any(character in done.err for character in "\033\007\0")


def test_a_link_in_the_directory_leads_to_the_same_file(tmp_path: Path, tree: Path) -> None:
    describe(tmp_path / "parent", library=COPY.format(tree=tree))
    child = describe(tmp_path / "child")
    (child / "rootfs_lib.sh").symlink_to("../parent/rootfs_lib.sh")
    done = build(child, tmp_path / "rootfs", "-q")
    assert (done.status, done.err) == (0, "")


def test_what_cannot_be_copied_is_told(tmp_path: Path, tree: Path) -> None:
    directory = describe(tmp_path / "awesome", library=COPY.format(tree=tree))
    os.mkfifo(directory / "pipe")
    done = build(directory, tmp_path / "rootfs")
    assert done.status == 3
    assert "is a named pipe" in done.err


def test_a_named_directory_of_them_is_found(tmp_path: Path, tree: Path) -> None:
    describe(tmp_path / "mine/awesome", library=COPY.format(tree=tree))
    (tmp_path / "elsewhere").mkdir()
    done = build(Path("awesome"), tmp_path / "elsewhere/rootfs", "-q", ROOTFS_KIT_DISTROS_PATH=str(tmp_path / "mine"))
    assert (done.status, done.err) == (0, "")


MMDEBSTRAP = """\
build_rootfs() {{
	mmdebstrap --mode=root --variant=required --keyring="${{CONFIG_DIR}}/keys.gpg" \\
		--components="${{REPO_COMPONENTS}}" --include="${{PACKAGES// /,}}" "${{OS_VERSION}}" "$1" "${{REPO_URL}}"
}}
"""


def test_one_that_calls_a_package_manager_installs_what_config_sh_names(tmp_path: Path, mirror: Mirror) -> None:
    config = "OS_NAME=made\nOS_VERSION=${OS_VERSION:-trixie}\n"
    config += 'PACKAGES="chrony cryptsetup-bin dbus e2fsprogs init iptables kmod libseccomp2 systemd"\n'
    config += "REPO_COMPONENTS=${REPO_COMPONENTS:-main}\n"
    directory = describe(tmp_path / "awesome", config, MMDEBSTRAP.format())
    shutil.copy(mirror.archive.keyring, directory / "keys.gpg")
    done = build(directory, tmp_path / "rootfs", "--json", REPO_URL=mirror.url)
    assert done.status == 0, done.err
    assert json.loads(done.out)["checks"]["failed"] == 0
    names = {package["name"] for package in manifest(tmp_path / "rootfs")["packages"]["installed"]}
    assert {"chrony", "iptables", "systemd"} <= names
    assert not (tmp_path / "rootfs/var/lib/dpkg").exists()
