"""Which tests a developer does not wait for after each change: `make test-fast` leaves the slow ones out."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Rooms whose tests build packages and whole mirrors, wait for servers that never answer, or try many inputs.
SLOW_ROOMS = (
    "alpine", "fuzz", "hostile", "rpm_builds", "tree_archive", "tree_packages/test_hostile_databases.py",
    "suite/test_pytest_versions.py", "suite/test_gate.py", "suite/test_wiring.py", "suite/test_agent_run.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = [HERE / room for room in SLOW_ROOMS]
    for item in items:
        if any(item.path.is_relative_to(room) for room in slow):
            item.add_marker(pytest.mark.slow)
