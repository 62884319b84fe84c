"""Parts of a tree that an ordinary user may not read: unknown to every check that asks, and never a traceback."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from rootfs_kit.errors import RootfsKitError
from rootfs_kit.suite.verdict import State
from tests.hostile.survey import survey
from tests.support import trees
from tests.support.nobody import as_nobody
from tests.support.requirements import needs_program, needs_root

pytestmark = [needs_program("cc", "depmod"), needs_root()]


@pytest.fixture
def guest() -> Iterator[Path]:
    """A guest where everybody may go: every run of pytest closes the directory of temporary files to others."""
    with tempfile.TemporaryDirectory(prefix="rootfs-kit-nobody-") as place:
        Path(place).chmod(0o755)
        yield trees.systemd_guest(Path(place) / "guest")


def surveyed_by_nobody(tree: Path) -> dict[str, object]:
    """The exit code and what was unknown, or our error, as an ordinary user gets them in a child of this process."""
    survey(tree)  # imports all that is needed
    told: dict[str, object] = as_nobody(partial(_told, tree))
    return told


def _told(tree: Path) -> dict[str, object]:
    try:
        verdict = survey(tree)
    except RootfsKitError as error:
        return {"error": str(error), "code": int(error.exit_code)}
    unknown = sorted({str(result.check) for result in verdict.of(State.UNKNOWN)})
    return {"code": int(verdict.exit_code), "unknown": unknown, "failed": len(verdict.of(State.FAILED))}


@pytest.mark.parametrize(
    ("directory", "unknown"),
    [
        ("etc", {"LAY-01", "NET-01", "NET-02", "UNT-06"}),
        ("usr/bin", {"LAY-01", "AGT-01"}),
        ("usr/lib/systemd", {"LAY-01", "INI-01", "UNT-01"}),
        ("var/lib/dpkg", {"LAY-01", "PKG-01"}),
        ("usr/lib/modules", {"LAY-01"}),
        ("var", {"LAY-01", "LAY-03", "PKG-01", "YML-01"}),
    ],
)
@pytest.mark.parametrize("mode", [0o000, 0o700, 0o711], ids=["nobody", "root alone", "no listing"])
def test_directory_that_may_not_be_read(guest: Path, directory: str, unknown: set[str], mode: int) -> None:
    (guest / directory).chmod(mode)
    told = surveyed_by_nobody(guest)
    assert told["code"] in (1, 2) and "error" not in told, told
    assert unknown <= set(told["unknown"])  # type: ignore[call-overload]


def test_root_directory_that_may_not_be_read(guest: Path) -> None:
    guest.chmod(0o700)
    told = surveyed_by_nobody(guest)
    assert told["code"] == 2
    assert "Permission denied" in str(told["error"])


@pytest.mark.parametrize("path", ["var/lib/dpkg/status", "etc/hosts", "usr/bin/kata-agent", "etc/chrony/chrony.conf"])
def test_file_that_may_not_be_read(guest: Path, path: str) -> None:
    (guest / path).parent.mkdir(parents=True, exist_ok=True)
    (guest / path).touch()
    (guest / path).chmod(0o600)
    told = surveyed_by_nobody(guest)
    assert told["code"] in (1, 2) and told["unknown"]
