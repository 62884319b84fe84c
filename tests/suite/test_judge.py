"""judge(): the whole suite in this process, cut off from everything around it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_kit.axes import InitMode
from rootfs_kit.errors import ExitCode, UsageError
from rootfs_kit.suite.run import JudgeOptions, judge
from rootfs_kit.suite.verdict import State
from tests.suite.conftest import CHECKOUT, environment
from tests.support.requirements import needs_program
from tests.support.trees import agent_init_guest, fingerprint, systemd_guest, systemd_overlay

needs_trees = needs_program("cc", "depmod")


@needs_trees
@pytest.mark.parametrize("make", [systemd_guest, agent_init_guest, systemd_overlay])
def test_good_tree_conforms(tmp_path: Path, make, capfd: pytest.CaptureFixture[str]) -> None:
    root = make(tmp_path / "root")
    before = fingerprint(root)
    verdict = judge(root)
    assert [result.nodeid for result in verdict.of(State.FAILED, State.WARNED, State.UNKNOWN, State.BROKEN)] == []
    assert verdict.conforms and verdict.exit_code is ExitCode.DONE
    assert verdict.count(State.PASSED) > 10
    assert capfd.readouterr() == ("", ""), "nothing is printed"
    assert fingerprint(root) == before, "nothing is written"


@needs_trees
def test_broken_tree_does_not_and_the_findings_say_why(tmp_path: Path) -> None:
    root = systemd_guest(tmp_path / "root")
    (root / "usr/lib/systemd/systemd").unlink()
    verdict = judge(root)
    assert verdict.exit_code is ExitCode.NOT_CONFORMING
    failed = {result.check: result for result in verdict.of(State.FAILED)}
    assert "INI-01" in failed
    finding = failed["INI-01"].findings[0].finding
    assert finding.path == "/sbin/init" and "does not exist" in finding.found
    assert failed["INI-01"].nodeid == "rootfs-kit/test_init.py::test_init_is_executable"


def test_environment_of_pytest_does_not_reach_it(rootfs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k nothing_at_all --maxfail=1 --no-such-option")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    before = dict(os.environ)
    assert len(judge(rootfs_dir).results) > 10
    assert dict(os.environ) == before


def test_configuration_of_the_current_directory_does_not_reach_it(
    rootfs_dir: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "pytest.ini").write_text("[pytest]\naddopts = -k nothing_at_all\n")
    (here / "conftest.py").write_text("raise RuntimeError\n")
    (here / "pyproject.toml").write_text('[tool.rootfs-kit]\ndistro = "another"\n')
    monkeypatch.chdir(here)
    verdict = judge(rootfs_dir)
    assert len(verdict.results) > 10
    assert not [result for result in verdict.results if result.check == "EXP-01"]
    assert sorted(path.name for path in here.iterdir()) == ["conftest.py", "pyproject.toml", "pytest.ini"]


def test_it_can_be_called_again_and_again(rootfs_dir: Path) -> None:
    first, second = judge(rootfs_dir), judge(rootfs_dir)
    assert [(result.nodeid, result.state) for result in first.results] == [
        (result.nodeid, result.state) for result in second.results
    ]


def test_options_reach_the_checks(rootfs_dir: Path, tmp_path: Path) -> None:
    agent_init = judge(rootfs_dir, JudgeOptions(profile="agent-init"))
    assert agent_init.profile.init is InitMode.AGENT
    assert "INI-02" in {result.check for result in agent_init.of(State.FAILED)}
    strict = judge(rootfs_dir, JudgeOptions(strict=True))
    assert not strict.of(State.WARNED) and len(strict.of(State.FAILED)) > len(judge(rootfs_dir).of(State.FAILED))
    expect = tmp_path / "expect.toml"
    expect.write_text('distro = "another"\n')
    expected = judge(rootfs_dir, JudgeOptions(expect=expect))
    assert "EXP-01" in {result.check for result in expected.of(State.FAILED)}


@pytest.mark.parametrize(
    ("target", "options", "found"),
    [
        ("nowhere", JudgeOptions(), ""),
        ("empty", JudgeOptions(), "the rootfs is empty"),
        ("/", JudgeOptions(), "it is the root of this machine"),
        ("rootfs", JudgeOptions(profile="sytemd"), '"sytemd" is no profile and no feature'),
        ("rootfs", JudgeOptions(expect=Path("/nowhere.toml")), "there is no such file"),
    ],
)
@pytest.mark.usefixtures("rootfs_dir")
def test_bad_input_is_a_usage_error(tmp_path: Path, target: str, options: JudgeOptions, found: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as raised:
        judge(tmp_path / target, options)
    assert found in raised.value.found


def test_interrupt_during_a_check_interrupts(rootfs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rootfs_kit.tree import RootfsTree

    class Terminated(BaseException):
        """As the command line raises for SIGTERM."""

    for interruption in (KeyboardInterrupt, Terminated):

        def stop(*_: object, interruption: type[BaseException] = interruption) -> None:
            raise interruption

        with monkeypatch.context() as patch:
            patch.setattr(RootfsTree, "walk", stop)
            with pytest.raises(interruption):
                judge(rootfs_dir)


def test_other_plugins_do_not_take_part(rootfs_dir: Path, tmp_path: Path) -> None:
    """A pytest plugin that is installed, and would spoil everything."""
    site = tmp_path / "site"
    (site / "spoiler-1.dist-info").mkdir(parents=True)
    (site / "spoiler-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: spoiler\nVersion: 1\n")
    (site / "spoiler-1.dist-info/entry_points.txt").write_text("[pytest11]\nspoiler = spoiler\n")
    (site / "spoiler.py").write_text("def pytest_collection_modifyitems(items): items.clear()\n")
    code = f"from rootfs_kit.suite.run import judge; print(len(judge({str(rootfs_dir)!r}).results) > 10)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env=environment(site, CHECKOUT),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
