"""Where the suite runs, as far as that changes what it shows."""

from __future__ import annotations

import os


def in_github_actions() -> bool:
    """Whether this is a step of a workflow of GitHub Actions, by the variable that its runner sets."""
    return os.environ.get("GITHUB_ACTIONS") == "true"
