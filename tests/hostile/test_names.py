"""Names and texts of a rootfs that speak to a terminal, to a CI runner, or to whoever reads a report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.hostile.survey import assert_lines_are_harmless, survey
from tests.suite.conftest import Pytest, environment
from tests.support import trees
from tests.support.requirements import needs_program

pytestmark = needs_program("cc", "depmod")

NAMES = [
    "\x1b]0;owned\x07",
    "a\n::error::owned",
    "a\r\n##[error]owned",
    "##[add-mask]a",
    "::set-output name=owned::a",
    "%0A::error::owned",
    "\x9b31m\u202eowned",
    "\udcff\udcfe no UTF-8",
    "x" * 255,
    "-rf",
    "a]]>b<&\"'",
    " ",
]


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """A guest with each of NAMES wherever a name of the rootfs gets into a text."""
    guest = trees.systemd_guest(tmp_path / "guest")
    units = guest / "usr/lib/systemd/system"
    for number, name in enumerate(NAMES):
        raw = os.fsencode(name)
        (guest / "lib/modules" / name).mkdir()
        (guest / "etc" / name[:200]).symlink_to(name)
        (guest / "usr/bin" / name).write_text("")
        (guest / "usr/bin" / name).chmod(0o6755)
        cache = guest / "var/cache/apt/archives"
        cache.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text("x")
        with (guest / "etc/hosts").open("ab") as hosts:
            hosts.write(b"192.0.2.1 " + raw + b"\n")
        with (guest / "etc/chrony/chrony.conf").open("ab") as chrony:
            chrony.write(b"server " + raw + b"\n")
        (units / f"kata-agent.service.d/{number}.conf").parent.mkdir(exist_ok=True)
        (units / f"kata-agent.service.d/{number}.conf").write_bytes(
            b"[Unit]\nRequires=" + raw + b".service\n[Service]\nExecStart=/usr/bin/" + raw + b"\n"
        )
    (guest / "etc/hostname").write_bytes(os.fsencode(NAMES[0]) + b"\n")
    manifest = {"packages": {"method": NAMES[0], "requested": [name for name in NAMES if name.isprintable() or 1]}}
    trees.write(guest, "var/lib/osbuilder/manifest.json", json.dumps(manifest))
    return guest


def test_verdict_on_such_names_is_harmless_in_every_form(named: Path) -> None:
    verdict = survey(named)
    assert {"MOD-01", "TIM-02", "NET-02", "PKG-01"} <= {result.check for result in verdict.results if result.findings}


def test_expected_of_such_names_is_toml(named: Path, tmp_path: Path, site: Path) -> None:
    import tomllib

    done = subprocess.run(
        [sys.executable, "-m", "rootfs_kit", "expect", str(named)],
        cwd=tmp_path, env=environment(site), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        assert_lines_are_harmless(done.stdout.splitlines())
        assert tomllib.loads(done.stdout)["profile"]
    else:
        assert_lines_are_harmless(done.stderr.splitlines())


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["one process", "xdist"])
def test_pytest_writes_them_to_no_terminal_and_into_sound_reports(
    run: Pytest, named: Path, here: Path, workers: list[str]
) -> None:
    if workers:
        pytest.importorskip("xdist", reason="needs pytest-xdist")
    (here / "expect.toml").write_text('setuid = "none"\n')
    reports = ["--junitxml=junit.xml", "--rootfs-report=report.json"]
    ended = run(
        f"--rootfs={named}", "--rootfs-expect=expect.toml", "-v", "-ra", "--rootfs-no-truncate", *reports, *workers,
        GITHUB_ACTIONS="true",
    )  # fmt: skip
    assert ended.status == 1, ended.text
    ours = ("::error title=", "::warning title=", "::group::", "::endgroup::")
    assert_lines_are_harmless(line for line in ended.text.splitlines() if not line.startswith(ours))
    assert all("##[" not in line for line in ended.text.splitlines())
    junit = (here / "junit.xml").read_bytes()
    ElementTree.fromstring(junit)
    assert b"\x1b" not in junit and b"\x07" not in junit
    written = (here / "report.json").read_bytes()
    assert written.isascii() and b"\x1b" not in written
    assert json.loads(written)["results"]


def test_name_of_the_rootfs_itself_is_harmless(run: Pytest, here: Path, tmp_path: Path) -> None:
    for number, name in enumerate(NAMES[:6]):
        root = here / f"{number}" / name
        trees.write(root, "etc/os-release", "ID=made\n")
        ended = run(f"--rootfs={root}", "-v", "rootfs-kit/test_init.py", GITHUB_ACTIONS="true")
        ours = ("::error title=", "::warning title=", "::group::", "::endgroup::")
        assert_lines_are_harmless(line for line in ended.text.splitlines() if not line.startswith(ours))
        missing = run(f"--rootfs={root}-missing")
        assert missing.status == 4
        assert_lines_are_harmless(missing.text.splitlines())


def test_command_writes_them_to_no_terminal(named: Path, tmp_path: Path, site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rootfs_kit", "check", str(named), "--verbose", "--no-truncate"],
        cwd=tmp_path, env=environment(site, GITHUB_ACTIONS="true"), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    text = done.stdout.decode()
    assert_lines_are_harmless(line for line in text.splitlines() if not line.startswith(("::error ti", "::warning ti")))
    assert "\\x1b]0;owned\\x07" in text
