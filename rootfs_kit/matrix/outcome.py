"""What came of the builds of a matrix: one table for people, one document for programs, one exit status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rootfs_kit.errors import ExitCode

MIB = 1024 * 1024
WORDS = {
    ExitCode.DONE: "done",
    ExitCode.NOT_CONFORMING: "does not conform",
    ExitCode.USAGE: "wrong input",
    ExitCode.BUILD_FAILED: "failed",
    ExitCode.HOST_LACKS: "host lacks",
}


@dataclass(frozen=True)
class Outcome:
    """One build's end: `document` is what `rootfs-kit build --json` said, `complaint` its message where it failed.

    `status` is its exit status, `seconds` wall time; `log` holds all that it said.
    """

    name: str
    engine: str
    status: int
    seconds: float
    document: dict[str, Any] | None
    complaint: str
    log: Path

    @property
    def word(self) -> str:
        return WORDS.get(ExitCode(self.status), "failed") if self.status in set(ExitCode) else "stopped"


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """The most serious of them: a build that failed outweighs a rootfs that does not conform."""
    return max((outcome.status for outcome in outcomes), default=ExitCode.DONE)


def table(outcomes: Sequence[Outcome], width: int) -> str:
    """One line for each build, and the complaints below."""
    from tabulate import tabulate

    rows = [_row(outcome) for outcome in outcomes]
    headers = ("rootfs", "engine", "result", "packages", "MiB", "checks", "s")
    text = tabulate(rows, headers, tablefmt="simple", colalign=("left", "left", "left", *("right",) * 4))
    if max(len(line) for line in text.splitlines()) > width:
        text = tabulate(
            [(row[0], row[2], row[6]) for row in rows],
            ("rootfs", "result", "s"),
            tablefmt="simple",
            colalign=("left", "left", "right"),
            maxcolwidths=[max(width - 30, 10), None, None],
        )
    failed = [f"{each.name}: {each.complaint}\n  log: {each.log}" for each in outcomes if each.status != 0]
    return "\n\n".join((text, *failed))


def document(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "format": 1,
        "builds": [
            {
                "name": each.name,
                "engine": each.engine,
                "status": each.status,
                "result": each.word,
                "seconds": round(each.seconds, 1),
                "complaint": each.complaint,
                "log": str(each.log),
                "build": each.document,
            }
            for each in outcomes
        ],
    }


def _row(outcome: Outcome) -> tuple[str, ...]:
    said = outcome.document or {}
    checks = said.get("checks")
    judged = f"{checks['passed']} passed, {checks['warned']} warned" if checks else "-"
    size = f"{said['size_bytes'] / MIB:.1f}" if "size_bytes" in said else "-"
    return (
        outcome.name, outcome.engine, outcome.word, str(said.get("packages", "-")), size, judged,
        f"{outcome.seconds:.0f}",
    )  # fmt: skip
