"""Runs all mutations and writes docs/trust.md: `python -m tests.mutations docs/trust.md`. Needs root and the archive."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.mutations.bench import measure
from tests.mutations.good_trees import GOOD_TREES
from tests.mutations.trust import render

if __name__ == "__main__":
    text = render({tree.name: measure(tree) for tree in GOOD_TREES})
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text)
    else:
        sys.stdout.write(text)
