"""chronyd's unit: mended by a drop-in so that it starts in any guest, and found under the name that Kata wants."""

from __future__ import annotations

import pytest

from rootfs_kit.guest.clock_unit import bring_clock_units, mend_clock_unit
from rootfs_kit.tree import RootfsEditor, open_rootfs
from rootfs_kit.tree.units import Unit, find_unit
from tests.guest.made import CHRONY_SERVICE

DEBIAN_UNIT = "/lib/systemd/system/chrony.service"
# The parts of Fedora's unit that matter here.
FEDORA_SERVICE = "[Service]\nExecStart=/usr/sbin/chronyd $OPTIONS\nProtectSystem=full\n"


def wanted(editor: RootfsEditor) -> Unit:
    unit = find_unit(open_rootfs(editor.root), "chronyd.service")
    assert unit is not None
    return unit


def test_debians_unit_starts_without_a_ptp_clock_and_without_var(editor: RootfsEditor) -> None:
    assert find_unit(open_rootfs(editor.root), "chronyd.service") is None
    for _ in range(2):
        mend_clock_unit(editor)
        unit = wanted(editor)
        assert unit.id == "chrony.service"
        assert unit.get("Unit", "ConditionPathExists") == ["/dev/ptp0"]
        assert unit.get("Service", "StateDirectory") == []
        assert unit.get("Service", "LogsDirectory") == []
        paths = unit.words("Service", "ReadWritePaths")
        assert paths == ["/run", "-/var/lib/chrony", "-/var/log", "-/var/log/chrony"]
        assert unit.complaints == ()


def test_the_distributions_own_file_stays_as_it_came(editor: RootfsEditor) -> None:
    mend_clock_unit(editor)
    assert editor.read_text(DEBIAN_UNIT) == CHRONY_SERVICE


def test_an_existing_alias_is_kept(editor: RootfsEditor) -> None:
    editor.symlink("/etc/systemd/system/chronyd.service", "../../../lib/systemd/system/chrony.service")
    mend_clock_unit(editor)
    assert editor.lstat("/etc/systemd/system/chronyd.service").target == "../../../lib/systemd/system/chrony.service"  # type: ignore[union-attr]
    assert editor.listdir("/etc/systemd/system/chrony.service.d") == ["10-kata.conf"]
    assert wanted(editor).get("Unit", "ConditionPathExists") == ["/dev/ptp0"]


def test_fedoras_unit_is_mended_under_its_own_name(editor: RootfsEditor) -> None:
    editor.remove(DEBIAN_UNIT)
    editor.write("/usr/lib/systemd/system/chronyd.service", FEDORA_SERVICE)
    mend_clock_unit(editor)
    assert editor.listdir("/etc/systemd/system") == ["chronyd.service.d"]
    assert wanted(editor).get("Unit", "ConditionPathExists") == ["/dev/ptp0"]
    assert wanted(editor).get("Service", "ReadWritePaths") == []


def test_a_user_that_exists_is_kept(editor: RootfsEditor) -> None:
    mend_clock_unit(editor)
    assert wanted(editor).get("Service", "User") == ["_chrony"]
    assert [line.program for line in wanted(editor).exec_lines("ExecStart")] == ["/usr/sbin/chronyd"]


@pytest.mark.parametrize("unit", [CHRONY_SERVICE, "[Service]\nExecStart=/usr/sbin/chronyd -u chrony -F 1\n"])
def test_a_user_that_does_not_exist_is_left_out(editor: RootfsEditor, unit: str) -> None:
    editor.write(DEBIAN_UNIT, unit)
    editor.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    mend_clock_unit(editor)
    after = wanted(editor)
    assert after.get("Service", "User") == []
    (start,) = after.exec_lines("ExecStart")
    assert start.program == "/usr/sbin/chronyd"
    assert "chrony" not in start.arguments
    assert list(start.arguments[-2:]) == ["-u", "root"]


def test_nothing_is_made_where_there_is_no_unit(editor: RootfsEditor) -> None:
    editor.remove(DEBIAN_UNIT)
    mend_clock_unit(editor)
    assert editor.listdir("/etc/systemd") == []


@pytest.mark.parametrize(
    ("path", "text"),
    [("/usr/lib/systemd/system/chrony.service", CHRONY_SERVICE),
     ("/usr/lib/systemd/system/chronyd.service", FEDORA_SERVICE)],
    ids=["Debian", "Fedora"],
)  # fmt: skip
def test_an_overlay_mends_the_unit_of_either_base(empty: RootfsEditor, path: str, text: str) -> None:
    for _ in range(2):
        bring_clock_units(empty)
    empty.write(path, text)
    name = path.rpartition("/")[2]
    unit = find_unit(open_rootfs(empty.root), name)
    assert unit is not None
    assert unit.path == path
    assert unit.get("Unit", "ConditionPathExists") == ["/dev/ptp0"]
    assert "/var/lib/chrony" not in unit.words("Service", "ReadWritePaths")
    assert "-/var/lib/chrony" in unit.words("Service", "ReadWritePaths")
