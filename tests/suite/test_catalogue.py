"""The catalogue is what the checks say of themselves; docs/checks.md is written from it and never by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rootfs_kit.errors import UsageError
from rootfs_kit.suite.catalogue import Entry, catalogue, entries_of, markdown
from tests.suite.conftest import CHECKOUT

ENTRIES = catalogue()
IDS = [entry.nodeid for entry in ENTRIES]


def test_every_room_is_in_the_catalogue() -> None:
    rooms = {path.name for path in (CHECKOUT / "checks").glob("test_*.py")}
    assert {entry.nodeid.partition("::")[0].rpartition("/")[2] for entry in ENTRIES} == rooms


def test_every_test_of_a_room_is_a_check() -> None:
    """A test without the decorator would have no id, no severity and no source."""
    written = {
        f"rootfs-kit/{path.name}::{name}"
        for path in (CHECKOUT / "checks").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert written == set(IDS)


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_check_explains_itself(entry: Entry) -> None:
    assert re.fullmatch(r"[A-Z]{2,4}-\d\d", entry.info.id)
    assert entry.info.source
    assert entry.summary.endswith((".", ".)")), "the first paragraph is a sentence"
    assert len(entry.summary) > 30


def test_documentation_is_fresh() -> None:
    written = (CHECKOUT / "docs/checks.md").read_text()
    assert written == markdown(ENTRIES), "run: python -m rootfs_kit.suite.catalogue docs/checks.md"


def test_check_is_found_by_id_and_by_name() -> None:
    by_id = entries_of("INI-01")
    assert [entry.name for entry in by_id] == ["test_init_is_executable"]
    assert entries_of("ini-01") == entries_of("test_init_is_executable") == by_id
    assert len(entries_of("AGT-01")) > 1, "several tests may share an id"


def test_unknown_check_names_the_nearest() -> None:
    with pytest.raises(UsageError) as raised:
        entries_of("INI-10")
    assert re.search(r'Did you mean "INI-0\d"\?', raised.value.hint)


def test_what_a_check_applies_to_is_told_in_words() -> None:
    words = {entry.name: entry.applies_to for entry in ENTRIES}
    assert words["test_every_part_of_the_rootfs_can_be_read"] == "every rootfs"
    assert words["test_systemd_is_executable"] == "full rootfs, systemd"
    assert words["test_module_index_agrees_with_the_files"] == "modules"


def test_it_can_be_written_by_a_command(tmp_path: Path) -> None:
    import subprocess
    import sys

    target = tmp_path / "checks.md"
    command = [sys.executable, "-m", "rootfs_kit.suite.catalogue"]
    subprocess.run([*command, str(target)], cwd=CHECKOUT, check=True)
    assert target.read_text() == markdown(ENTRIES)
    assert (
        subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout == target.read_text()
    )
