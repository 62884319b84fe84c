"""What is said of the builds of a matrix when they have ended."""

from __future__ import annotations

from pathlib import Path

from rootfs_kit.axes import Content, InitMode
from rootfs_kit.errors import ExitCode
from rootfs_kit.matrix.outcome import Outcome, table
from rootfs_kit.summary import BuildResult, Checks, document

MIB = 1 << 20


def ended(name: str, status: int = ExitCode.DONE, said: dict[str, object] | None = None) -> Outcome:
    return Outcome(name, "host", status, 12.3, said, "" if said else "the mirror is down", Path("/out/log"))


def built(size: int) -> BuildResult:
    return BuildResult(
        Path("/out/guest"), "debian", "trixie", "x86_64", InitMode.SYSTEMD, Content.FULL, 4000, size, 87, (), (),
        Checks(50, 2, 0),
    )  # fmt: skip


def test_the_table_has_what_a_build_says_of_itself():
    done = ended("trixie", said=document(built(123 * MIB + MIB // 2)))
    text = table([done, ended("sid", ExitCode.BUILD_FAILED)], 120)
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert lines["trixie"] == ["trixie", "host", "done", "87", "123.5", "50", "passed,", "2", "warned", "12"]
    assert lines["sid"] == ["sid", "host", "failed", "-", "-", "-", "12"]
    assert "sid: the mirror is down\n  log: /out/log" in text
