"""Never a false green: a run that judged nothing does not end with 0, and says why."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from rootfs_kit.suite.expectation import today
from tests.suite.conftest import Pytest

ALL_SKIPPED = "import pytest\ndef test_it(rootfs): pytest.skip('not today')\n"
ALL_XFAILED = "import pytest\n@pytest.mark.xfail\ndef test_it(rootfs): assert False\n"
XPASSED = "import pytest\n@pytest.mark.xfail\ndef test_it(rootfs): pass\n"
LOOKS_ELSEWHERE = "def test_it(): pass\n"
ALL_WAIVED = (
    "from rootfs_kit.suite.check import ERROR, check, require\n@check('X-01', severity=ERROR, source='none')\n"
    "def test_it(rootfs): require(False, '/x', found='1', expected='2', at_boot='3', mend='4')\n"
)
WORKERS = [[], ["-n2"]]


def waiver() -> str:
    return f'[[waivers]]\ncheck = "X-01"\nreason = "known"\nuntil = {today() + timedelta(days=1)}\n'


@pytest.mark.parametrize("workers", WORKERS, ids=["one process", "xdist"])
@pytest.mark.parametrize(
    ("tests", "why"),
    [
        (ALL_SKIPPED, "of 1 tests of the rootfs, 0 were waived and 1 skipped"),
        (ALL_XFAILED, "of 1 tests of the rootfs, 1 were waived and 0 skipped"),
        (XPASSED, "of 1 tests of the rootfs, 1 were waived and 0 skipped"),
        (ALL_WAIVED, "of 1 tests of the rootfs, 1 were waived and 0 skipped"),
        (LOOKS_ELSEWHERE, "none of the tests looks at the rootfs"),
    ],
    ids=["skipped", "xfailed", "xpassed", "waived", "no test of the rootfs"],
)
def test_run_without_a_verdict_is_not_green(
    run: Pytest, rootfs_dir: Path, here: Path, tests: str, why: str, workers: list[str]
) -> None:
    if workers:
        pytest.importorskip("xdist", reason="needs pytest-xdist")
    (here / "test_mine.py").write_text(tests)
    (here / "expect.toml").write_text(waiver())
    ended = run(f"--rootfs={rootfs_dir}", "--rootfs-expect=expect.toml", *workers, "test_mine.py")
    assert ended.status == 5, ended.text
    assert ended.lines_with(f"rootfs-kit: nothing was judged: {why}")


def test_one_verdict_among_skipped_tests_is_enough(run: Pytest, rootfs_dir: Path, here: Path) -> None:
    (here / "test_mine.py").write_text(ALL_SKIPPED + "def test_looks(rootfs): pass\n")
    assert run(f"--rootfs={rootfs_dir}", "test_mine.py").status == 0


def test_everything_deselected_is_not_green(run: Pytest, rootfs_dir: Path) -> None:
    ended = run(f"--rootfs={rootfs_dir}", "-k", "no_such_check")
    assert ended.status == 5
    assert ended.lines_with("rootfs-kit: nothing was judged: all ")


@pytest.mark.parametrize("option", ["--co", "--fixtures", "--markers", "--version", "--help"])
def test_run_that_only_shows_something_is_left_alone(run: Pytest, rootfs_dir: Path, option: str) -> None:
    ended = run(f"--rootfs={rootfs_dir}", option)
    assert ended.status == 0, ended.text
    assert "nothing was judged" not in ended.text


@pytest.mark.parametrize("workers", WORKERS, ids=["one process", "xdist"])
def test_part_that_cannot_be_read_is_not_green(run: Pytest, rootfs_dir: Path, workers: list[str]) -> None:
    """A FIFO where a file is looked for: root may enter every directory, but nobody opens this."""
    os.mkfifo(rootfs_dir / "etc/hosts")
    ended = run(f"--rootfs={rootfs_dir}", *workers, "rootfs-kit/test_network.py", "-k", "hosts_names")
    assert ended.status == 1, ended.text
    assert ended.lines_with("1 could not look")
    assert ended.lines_with("could not look: reading /etc/hosts")
    assert not ended.lines_with("1 failed")
