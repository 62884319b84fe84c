"""The plugin under the oldest pytest that it supports and under the newest, each in an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

import pytest

from tests.suite.conftest import CHECKOUT, Ended
from tests.support import trees
from tests.support.requirements import needs_program

pytestmark = [pytest.mark.slow, needs_program("cc", "depmod")]

OLDEST, NEWEST = "pytest==8.0.*", "pytest>=9"
NOT_OF_THE_PACKAGE = shutil.ignore_patterns(".venv", ".git", "build", "*.egg-info", "__pycache__", "tests")


@cache
def wheel(place: Path) -> Path:
    """This checkout as a wheel."""
    source = place / "source"
    shutil.copytree(CHECKOUT, source, ignore=NOT_OF_THE_PACKAGE)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(place), str(source)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs PyPI for the build backend")
    return next(place.glob("*.whl"))


@pytest.fixture(scope="module", params=[OLDEST, NEWEST])
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with rootfs-kit and this pytest."""
    built = wheel(tmp_path_factory.getbasetemp() / "wheel-for-versions")
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    interpreter = venv / "bin/python"
    command = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, str(built), request.param], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"needs PyPI for {request.param}")
    return interpreter


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    return trees.systemd_guest(tmp_path / "guest")


def run(python: Path, cwd: Path, *arguments: str, module: str = "pytest") -> Ended:
    done = subprocess.run(
        [str(python), "-m", module, *arguments],
        cwd=cwd, env={"PATH": "/usr/bin:/bin", "COLUMNS": "120"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout)


def test_good_guest_passes_and_a_broken_one_fails(python: Path, guest: Path, tmp_path: Path) -> None:
    good = run(python, tmp_path, f"--rootfs={guest}", "-W", "error", "--strict-markers", "--junitxml=junit.xml")
    assert good.status == 0, good.text
    cases = {
        (case.get("classname"), case.get("name")) for case in ElementTree.parse(tmp_path / "junit.xml").iter("testcase")
    }
    assert ("rootfs-kit.test_init", "test_init_is_executable") in cases
    assert run(python, tmp_path, "check", str(guest), module="rootfs_kit").status == 0
    (guest / "usr/bin/kata-agent").unlink()
    bad = run(python, tmp_path, f"--rootfs={guest}", "-v", "--rootfs-report=report.json")
    assert bad.status == 1, bad.text
    assert bad.lines_with("rootfs-kit/test_agent.py::test_agent_is_installed FAILED")
    assert bad.lines_with("FAILED rootfs-kit/test_agent.py::test_agent_is_installed - AGT-01: /usr/bin/kata-agent: ")
    again = run(python, tmp_path, f"--rootfs={guest}", "--lf", "-q")
    assert again.status == 1 and "passed" not in again.text
    assert run(python, tmp_path, "check", str(guest), module="rootfs_kit").status == 1


def test_nothing_judged_is_not_green(python: Path, guest: Path, tmp_path: Path) -> None:
    none = run(python, tmp_path, f"--rootfs={guest}", "-k", "nothing-at-all")
    assert none.status == 5 and none.lines_with("rootfs-kit: nothing was judged")
    assert run(python, tmp_path, "--rootfs=nowhere").status == 4
    assert run(python, tmp_path, f"--rootfs={guest}", "rootfs-kit/test_init.py::test_init_is_executable").status == 0
