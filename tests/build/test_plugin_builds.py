"""An installed package adds a distribution and the backend that builds it (tests/plugin_example)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.build.builds import Outcome, manifest
from tests.support.agents import stand_in_agent
from tests.support.config_scripts import made_tree
from tests.support.requirements import needs_program, needs_root
from tests.support.surroundings import PROJECT, clean_environment

pytestmark = [pytest.mark.slow, pytest.mark.network, needs_root(), needs_program("cc", "depmod")]
SECONDS = 300


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip installed the example."""
    site = tmp_path_factory.mktemp("site")
    copy = tmp_path_factory.mktemp("source") / "example"
    subprocess.run(["cp", "-r", str(PROJECT / "tests/plugin_example"), str(copy)], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(copy)],
        check=True, timeout=SECONDS,
    )  # fmt: skip
    return site


def rootfs_kit(site: Path, cwd: Path, *arguments: str) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-m", "rootfs_kit", *arguments],
        cwd=cwd, env={**clean_environment(), "PYTHONPATH": f"{PROJECT}{os.pathsep}{site}"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_its_distribution_is_listed_beside_ours(site: Path, tmp_path: Path) -> None:
    found = {each["name"]: each for each in json.loads(rootfs_kit(site, tmp_path, "list", "--format", "json").out)}
    assert (found["acme"]["title"], found["acme"]["found_by"]) == ("ACME Linux", "a plugin")
    assert found["debian"]["found_by"] == "built in"


def test_its_backend_builds_a_guest_that_passes_our_checks_and_meets_its_own(site: Path, tmp_path: Path) -> None:
    tree = made_tree(tmp_path / "made")
    subprocess.run(["tar", "-C", str(tree), "-cf", str(tmp_path / "rootfs.tar"), "."], check=True)
    target = tmp_path / "rootfs"
    arguments = ("build", "acme", "--agent-bin", str(stand_in_agent()), "--mirror", f"file://{tmp_path}/rootfs.tar")
    refused = rootfs_kit(site, tmp_path, *arguments, "-r", str(target))
    assert refused.status == 1
    assert "ACME-01" in refused.err
    (tmp_path / "notice/etc").mkdir(parents=True)
    (tmp_path / "notice/etc/acme-notice").write_text("ACME\n")
    done = rootfs_kit(site, tmp_path, *arguments, "-r", str(target), "--overlay-dir", str(tmp_path / "notice"))
    assert done.status == 0, done.err
    assert manifest(target)["distro"]["name"] == "acme"
