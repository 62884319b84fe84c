"""Around the container that a build runs in, a rootfs_lib.sh may prepare and clear away on the host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rootfs_kit.backends import Plan, Site
from rootfs_kit.backends.shell import Shell
from rootfs_kit.distro.search import find_distro
from rootfs_kit.engines import Workbench
from rootfs_kit.engines.hooks import container_hooks
from rootfs_kit.errors import BuildFailed
from rootfs_kit.monitor import SilentMonitor
from rootfs_kit.request import BuildRequest
from rootfs_kit.run import build_log
from tests.support.config_scripts import describe
from tests.support.requirements import needs_program

pytestmark = needs_program("bash")

HOOKS = """\
before_starting_container() {{
	echo "before ${{container_engine}} ${{OS_NAME}}" >> {said}
	{before}
}}
after_stopping_container() {{
	echo "after ${{container_engine}}" >> {said}
	{after}
}}
build_rootfs() {{ :; }}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with build_log(tmp_path / "log", "test") as log:
        yield Workbench(tmp_path / "tree", tmp_path / "scratch", tmp_path / "cache", SilentMonitor(), log)


def plan_with(tmp_path: Path, before: str = ":", after: str = ":") -> Plan:
    library = HOOKS.format(said=tmp_path / "said", before=before, after=after)
    distro = find_distro(str(describe(tmp_path / "awesome", library=library)))
    return Shell().plan(BuildRequest(tmp_path / "out", arch="x86_64"), distro, Site(Path("/tree"), Path("/files")))


def said(tmp_path: Path) -> list[str]:
    return (tmp_path / "said").read_text().splitlines() if (tmp_path / "said").exists() else []


def test_both_run_on_the_host_and_know_the_engine(tmp_path: Path, bench: Workbench) -> None:
    with container_hooks("podman", plan_with(tmp_path), bench):
        assert said(tmp_path) == ["before podman Awesome"]
    assert said(tmp_path) == ["before podman Awesome", "after podman"]


def test_without_a_container_neither_runs(tmp_path: Path, bench: Workbench) -> None:
    with container_hooks("host", plan_with(tmp_path), bench):
        pass
    assert said(tmp_path) == []


def test_a_directory_without_hooks_has_nothing_to_run(tmp_path: Path) -> None:
    distro = find_distro(str(describe(tmp_path / "awesome")))
    plan = Shell().plan(BuildRequest(tmp_path / "out", arch="x86_64"), distro, Site(Path("/tree"), Path("/files")))
    assert (plan.before_container, plan.after_container) == ((), ())


def test_it_is_cleared_away_after_a_failure_too(tmp_path: Path, bench: Workbench) -> None:
    with pytest.raises(BuildFailed, match="of the build"), container_hooks("docker", plan_with(tmp_path), bench):
        raise BuildFailed("building", "a failure of the build", "")
    assert said(tmp_path)[-1] == "after docker"


def test_where_preparing_fails_nothing_is_built_and_it_is_cleared_away(tmp_path: Path, bench: Workbench) -> None:
    built = False
    plan = plan_with(tmp_path, before="die no volume")
    with pytest.raises(BuildFailed, match="no volume"), container_hooks("docker", plan, bench):
        built = True
    assert not built
    assert said(tmp_path)[-1] == "after docker"


def test_the_builds_own_failure_is_told_before_that_of_clearing_away(tmp_path: Path, bench: Workbench) -> None:
    plan = plan_with(tmp_path, after="die stuck")
    with pytest.raises(BuildFailed, match="of the build"), container_hooks("docker", plan, bench):
        raise BuildFailed("building", "a failure of the build", "")
    with pytest.raises(BuildFailed, match="stuck"), container_hooks("docker", plan, bench):
        pass
