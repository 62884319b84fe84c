"""An installed package adds checks of its own (tests/plugin_example): they run, are listed, named, and waived alike."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.suite.conftest import CHECKOUT, NO_CACHES, Ended, environment, install_as_a_wheel_does, run_pytest

EXAMPLE = CHECKOUT / "tests" / "plugin_example"
RULES = "rootfs-kit/acme/test_house_rules.py"
JUDGE = """
import sys
from rootfs_kit.suite.run import judge
print(*(f"{result.check} {result.state}" for result in judge(sys.argv[1]).results if "ACME" in str(result.check)))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """rootfs-kit and the example, installed."""
    site = install_as_a_wheel_does(tmp_path_factory.mktemp("with-plugin") / "site")
    shutil.copytree(EXAMPLE / "acme_rootfs", site / "acme_rootfs", ignore=NO_CACHES)
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    metadata = site / "acme_rootfs-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rootfs\nVersion: 1\n")
    entries = project["entry-points"]["rootfs_kit"]
    (metadata / "entry_points.txt").write_text(
        "[rootfs_kit]\n" + "".join(f"{name} = {module}\n" for name, module in entries.items())
    )
    return site


def python(site: Path, *arguments: str, cwd: Path) -> Ended:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment(site), capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout + done.stderr)


def test_checks_of_a_plugin_run_after_the_packaged_ones(site: Path, here: Path, rootfs_dir: Path) -> None:
    ended = run_pytest(f"--rootfs={rootfs_dir}", "--co", "-q", cwd=here, env=environment(site))
    ids = [line for line in ended.text.splitlines() if "::" in line]
    assert ids[-2:] == [f"{RULES}::test_guest_carries_our_notice", f"{RULES}::test_notice_is_short"]
    assert ids[0].startswith("rootfs-kit/test_")


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one process", "xdist"])
def test_they_are_named_and_told_like_the_others(site: Path, here: Path, rootfs_dir: Path, workers: list[str]) -> None:
    if workers:
        pytest.importorskip("xdist", reason="needs pytest-xdist")
    ended = run_pytest(
        f"--rootfs={rootfs_dir}", RULES, "--junitxml=junit.xml", *workers, cwd=here, env=environment(site)
    )
    assert ended.status == 1
    assert ended.lines_with("ACME-01: /etc/acme-notice: nothing")
    cases = ElementTree.parse(here / "junit.xml").iter("testcase")
    assert {case.get("classname") for case in cases} == {"rootfs-kit.acme.test_house_rules"}


def test_they_take_part_in_a_hermetic_verdict(site: Path, tmp_path: Path, rootfs_dir: Path) -> None:
    script = tmp_path / "judge.py"
    script.write_text(JUDGE)
    ended = python(site, str(script), str(rootfs_dir), cwd=tmp_path)
    assert ended.text == "ACME-01 failed ACME-02 passed\n"


def test_they_are_in_the_catalogue(site: Path, tmp_path: Path) -> None:
    ended = python(
        site, "-c", "from rootfs_kit.suite.commands import list_checks; print(list_checks('ACME-01'))", cwd=tmp_path
    )
    assert "Guards against a guest that does not say whose it is." in ended.text


def test_their_assertions_are_explained(site: Path, here: Path, rootfs_dir: Path) -> None:
    (rootfs_dir / "etc/acme-notice").write_text("x" * 2000)
    ended = run_pytest(f"--rootfs={rootfs_dir}", RULES, cwd=here, env=environment(site))
    assert ended.lines_with("assert 2000 < 1000"), ended.text


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ("raise RuntimeError('broken')", "RuntimeError: broken"),
        (
            "from rootfs_kit.hookspecs import hookimpl\n@hookimpl\ndef rootfs_kit_checks(): return ['/nowhere']\n",
            "there is no test_*.py in /nowhere",
        ),
    ],
    ids=["cannot be imported", "names a directory without checks"],
)
def test_broken_plugin_ends_the_run_instead_of_missing_in_it(
    site: Path, here: Path, tmp_path: Path, rootfs_dir: Path, module: str, found: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(site / "acme_rootfs-1.dist-info", broken / "acme_rootfs-1.dist-info")
    (broken / "acme_rootfs.py").write_text(module)
    ended = run_pytest(
        f"--rootfs={rootfs_dir}", cwd=here, env=environment(broken, CHECKOUT, PYTEST_PLUGINS="rootfs_kit.pytest_plugin")
    )
    assert ended.status == 4, ended.text
    assert found in ended.text and '"acme"' in ended.text
    assert "Traceback" not in ended.text
