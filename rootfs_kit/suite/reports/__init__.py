"""Machine-readable reports of a verdict: JSON, SARIF, and annotations for GitHub Actions."""

from __future__ import annotations

import json
from pathlib import Path

from rootfs_kit.errors import UsageError
from rootfs_kit.suite.reports.document import document
from rootfs_kit.suite.verdict import Verdict


def write_report(verdict: Verdict, path: Path) -> None:
    """Write the report that the suffix of `path` asks for: .json or .sarif. Raises UsageError."""
    if path.suffix == ".sarif":
        from rootfs_kit.suite.reports.sarif import sarif

        content = sarif(verdict)
    else:
        content = document(verdict)
    try:
        path.write_text(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise UsageError(
            f"writing the report {path}", error.strerror or str(error), "Name a file that you may write."
        ) from error
