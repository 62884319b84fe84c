"""The targets for Atheris, run for some seconds each; by hand they run for hours (see tests/fuzz/harness.py)."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.requirements import needs_program

CHECKOUT = Path(__file__).resolve().parents[2]
READERS = ("elf", "module", "header", "ndb", "bdb", "sqlite", "index")
SECONDS = 8

pytestmark = [
    pytest.mark.slow,
    needs_program("cc"),
    pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris (pip install atheris)"),
]


@pytest.mark.parametrize("reader", READERS)
def test_only_our_errors_come_out_of(reader: str, tmp_path: Path) -> None:
    limits = [
        f"-max_total_time={SECONDS}",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-max_len=65536",
        "-print_final_stats=1",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.harness", reader, *limits, f"-artifact_prefix={tmp_path}/"],
        cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    executed = [line.split()[-1] for line in done.stdout.splitlines() if "number_of_executed_units" in line]
    assert executed and int(executed[0]) > 10, done.stdout[-2000:]
    assert list(tmp_path.iterdir()) == [], "nothing was found"
