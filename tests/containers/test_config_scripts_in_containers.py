"""A directory with a config.sh is built in a container of its own Dockerfile.in, with its hooks around it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.containers.conftest import SLIM
from tests.containers.services import REGISTRY, Service
from tests.support.config_scripts import build, describe, made_tree

pytestmark = [pytest.mark.slow, pytest.mark.network]

DOCKERFILE = """\
# for @distro@ @OS_VERSION@
ARG IMAGE_REGISTRY=docker.io
FROM ${{IMAGE_REGISTRY}}/{slim}
@INSTALL_RUST@
"""
LIBRARY = """\
build_rootfs() {{
	check_root
	[[ -e /.dockerenv || -e /run/.containerenv ]] || die "in no container"
	[[ -e {said} ]] && die "the host's files are here"
	tar -C "$1" -xf "${{CONFIG_DIR}}/tree.tar"
	{then}
}}
before_starting_container() {{
	echo "before ${{container_engine}}" >> {said}
}}
after_stopping_container() {{
	echo "after ${{container_engine}}" >> {said}
}}
"""


def described(tmp_path: Path, then: str = ":") -> Path:
    directory = describe(tmp_path / "awesome", library=LIBRARY.format(said=tmp_path / "said", then=then))
    (directory / "Dockerfile.in").write_text(DOCKERFILE.format(slim=SLIM))
    tree = made_tree(tmp_path / "made")
    subprocess.run(["tar", "-C", str(tree), "-cf", str(directory / "tree.tar"), "."], check=True)
    return directory


def test_the_whole_contract_holds_in_a_container(service: Service, tmp_path: Path) -> None:
    target = tmp_path / "rootfs"
    engine = ("--engine", service.address, "--image-registry", REGISTRY)
    done = build(described(tmp_path), target, "--json", *engine)
    assert done.status == 0, done.err
    assert json.loads(done.out)["checks"]["failed"] == 0
    name = service.address.partition(":")[0]
    assert (tmp_path / "said").read_text().splitlines() == [f"before {name}", f"after {name}"]


def test_variables_of_osbuilders_and_the_file_that_one_names_reach_it_there(service: Service, tmp_path: Path) -> None:
    (tmp_path / "my.conf").write_text("[main]\n")
    then = '{ echo "${MEASURED_ROOTFS} ${PKG_MANAGER} ${REPO_URL_RISCV64}"; cat "${DNF_CONF}"; } > "$1/etc/asked-for"'
    done = build(
        described(tmp_path, then), tmp_path / "rootfs", "-q", "--engine", service.address, "--image-registry", REGISTRY,
        MEASURED_ROOTFS="yes", PKG_MANAGER="dnf5 -v", DNF_CONF="my.conf", REPO_URL_RISCV64="http://mirror.example",
    )  # fmt: skip
    assert (done.status, done.err) == (0, "")
    assert (tmp_path / "rootfs/etc/asked-for").read_text() == "yes dnf5 -v http://mirror.example\n[main]\n"


def test_the_second_hook_runs_where_the_build_fails(service: Service, tmp_path: Path) -> None:
    engine = ("--engine", service.address, "--image-registry", REGISTRY)
    done = build(described(tmp_path, "die no luck"), tmp_path / "rootfs", *engine)
    assert done.status == 3
    assert "ERROR: no luck" in done.err
    assert (tmp_path / "said").read_text().splitlines()[-1].startswith("after ")
    assert not (tmp_path / "rootfs").exists()
