"""When the tree is scanned, and by whom the suite's own modules are loaded: what a run costs hangs on both."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rootfs_kit.suite.own_modules import OwnModules
from rootfs_kit.suite.run import judge
from tests.suite.conftest import Pytest

NO_SCAN = """
from rootfs_kit.tree.directory import DirectorySource

def refuse(self):
    raise RuntimeError("scanned")

DirectorySource.scan = refuse
"""
SINGLE_PATHS = """
def test_single_paths(rootfs):
    assert rootfs.file("/usr/bin/sh").is_executable
    assert rootfs.listdir("/usr/lib") == ["systemd"]
    assert not rootfs.exists("/etc/nothing")
"""
WHEN = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    from rootfs_kit.suite.subject import SUBJECT
    from rootfs_kit.tree.directory import DirectorySource
    scan = DirectorySource.scan

    def tell(self):
        import os
        with open("scans.txt", "a") as notes:
            print("scanned for", os.environ.get("PYTEST_CURRENT_TEST"), file=notes)
        return scan(self)

    DirectorySource.scan = tell
"""
FROZEN = """
import gc

def test_what_lasts_is_left_to_itself(rootfs):
    assert gc.get_freeze_count() > 0
"""
LOADERS = """
import sys

def test_loaders(rootfs):
    ours = {name: type(module.__loader__).__name__ for name, module in sys.modules.items() if "rootfs_kit." in name}
    others = {name for name, loader in ours.items() if loader != "SourceFileLoader"}
    assert others == {"rootfs_kit.pytest_plugin", "rootfs_kit.suite", "rootfs_kit.suite.own_modules"}
"""


def test_single_paths_in_tests_of_the_users_own_need_no_scan(run: Pytest, here: Path, rootfs_dir: Path) -> None:
    (here / "conftest.py").write_text(NO_SCAN)
    (here / "test_mine.py").write_text(SINGLE_PATHS)
    ended = run(f"--rootfs={rootfs_dir}", "test_mine.py")
    assert ended.status == 0, ended.text


@pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_the_suite_scans_once_before_its_first_check(
    run: Pytest, here: Path, rootfs_dir: Path, more: tuple[str, ...]
) -> None:
    (here / "when_scanned.py").write_text(WHEN)
    ended = run(f"--rootfs={rootfs_dir}", "-p", "when_scanned", *more)
    assert ended.status == 1, ended.text
    scans = (here / "scans.txt").read_text().splitlines()
    assert scans == ["scanned for None"] * (2 if more else 1), ended.text


def test_our_modules_are_loaded_by_pythons_own_loader(run: Pytest, here: Path, rootfs_dir: Path) -> None:
    (here / "test_mine.py").write_text(LOADERS)
    ended = run(f"--rootfs={rootfs_dir}", "test_mine.py", "rootfs-kit/test_init.py")
    assert ended.lines_with("test_mine.py ."), ended.text


def test_the_collector_passes_over_what_lasts(run: Pytest, here: Path, rootfs_dir: Path) -> None:
    (here / "test_mine.py").write_text(FROZEN)
    ended = run(f"--rootfs={rootfs_dir}", "test_mine.py")
    assert ended.status == 0, ended.text


def test_a_run_without_a_rootfs_loads_nothing_of_the_suite(run: Pytest, here: Path) -> None:
    (here / "test_mine.py").write_text(
        "import sys\n\ndef test_mine(): assert {name for name in sys.modules if name.startswith('rootfs_kit')}"
        " == {'rootfs_kit', 'rootfs_kit.pytest_plugin'}\n"
    )
    ended = run("test_mine.py")
    assert ended.status == 0, ended.text


def test_finders_are_as_they_were_once_it_is_over(rootfs_dir: Path) -> None:
    before = list(sys.meta_path)
    judge(rootfs_dir)
    assert sys.meta_path == before


def test_checks_of_plugins_are_left_to_pytest() -> None:
    assert OwnModules.find_spec("rootfs_kit.checks.acme.test_rules", None) is None
    assert OwnModules.find_spec("pytest", None) is None
