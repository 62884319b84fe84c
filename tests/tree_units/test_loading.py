"""Which files make up a unit: search path, masks, aliases, templates, drop-ins (systemd.unit(5))."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.units import find_unit
from tests.support.nobody import as_nobody
from tests.support.requirements import needs_program, needs_root
from tests.tree_units.workshop import ETC, LIB, RUN, Units


@pytest.fixture
def units(tmp_path: Path) -> Units:
    return Units(tmp_path)


def test_no_such_unit(units: Units) -> None:
    assert units.find("nothing.service") is None


def test_a_tree_without_systemd_has_no_units(tmp_path: Path) -> None:
    assert find_unit(open_rootfs(tmp_path), "basic.target") is None


def test_etc_comes_before_run_and_run_before_lib(units: Units) -> None:
    for place in (LIB, RUN, ETC):
        units.write("a.service", f"[Unit]\nDescription={place}\n", where=place)
        assert units.unit("a.service").get("Unit", "Description") == [place]
        assert units.unit("a.service").path == f"/{place}/a.service"


def test_a_tree_without_merged_usr_has_its_units_in_lib(tmp_path: Path) -> None:
    place = tmp_path / "lib/systemd/system/a.service"
    place.parent.mkdir(parents=True)
    place.write_text("[Unit]\n")
    unit = find_unit(open_rootfs(tmp_path), "a.service")
    assert unit is not None
    assert unit.path == "/lib/systemd/system/a.service"


@pytest.mark.parametrize("mask", ["link", "empty file"])
def test_a_mask_hides_the_unit(units: Units, mask: str) -> None:
    units.write("a.service", "[Service]\nExecStart=/bin/true\n")
    if mask == "link":
        units.link("a.service", "/dev/null")
    else:
        units.write("a.service", "", where=ETC)
    unit = units.unit("a.service")
    assert unit.masked
    assert unit.path == f"/{ETC}/a.service"
    assert unit.exec_lines("ExecStart") == []


def test_an_alias_gives_the_unit_another_name(units: Units) -> None:
    """Debian's chrony.service, and Kata's target that wants chronyd.service."""
    units.write("chrony.service", "[Service]\nExecStart=!/usr/sbin/chronyd\n")
    units.link("chronyd.service", f"/{LIB}/chrony.service")
    unit = units.unit("chronyd.service")
    assert (unit.name, unit.id, unit.path) == ("chronyd.service", "chrony.service", f"/{LIB}/chrony.service")
    assert set(units.unit("chrony.service").names) == {"chrony.service", "chronyd.service"}


def test_an_alias_of_a_masked_unit_is_masked(units: Units) -> None:
    """A link gives a name; the unit of that name is then looked for from the start (unit-file.c)."""
    units.write("chrony.service", "[Service]\nExecStart=/bin/true\n")
    units.link("chronyd.service", f"/{LIB}/chrony.service")
    units.link("chrony.service", "/dev/null")
    assert units.unit("chronyd.service").masked


def test_aliases_that_go_round_end(units: Units) -> None:
    units.link("a.service", "b.service")
    units.link("b.service", "a.service")
    assert units.find("a.service") is None


def test_a_link_to_a_file_elsewhere_lends_the_file(units: Units) -> None:
    (units.root / "opt").mkdir()
    (units.root / "opt/app.service").write_text("[Service]\nExecStart=/opt/run\n")
    units.link("mine.service", "/opt/app.service")
    unit = units.unit("mine.service")
    assert (unit.id, unit.exec_lines("ExecStart")[0].program) == ("mine.service", "/opt/run")


def test_a_link_leads_inside_the_rootfs_and_never_to_the_host(units: Units, tmp_path: Path) -> None:
    outside = tmp_path.parent / "outside.service"
    outside.write_text("[Service]\nExecStart=/host\n")
    units.link("a.service", str(outside))
    units.link("b.service", "../" * 40 + str(outside).lstrip("/"))
    assert units.find("a.service") is None
    assert units.find("b.service") is None


def test_an_instance_is_made_from_its_template(units: Units) -> None:
    units.write("getty@.service", "[Unit]\nWants=dev-%i.device\n[Service]\nExecStart=/sbin/agetty %I\n")
    unit = units.unit("getty@tty1.service")
    assert unit.path == f"/{LIB}/getty@.service"
    assert unit.wants == ("dev-tty1.device",)
    units.write("getty@tty1.service", "[Unit]\nDescription=its own\n")
    assert units.unit("getty@tty1.service").path == f"/{LIB}/getty@tty1.service"


def test_an_alias_of_a_template_keeps_the_instance(units: Units) -> None:
    units.write("getty@.service", "[Service]\nExecStart=/sbin/agetty\n")
    units.link("autovt@.service", "getty@.service", where=LIB)
    assert units.unit("autovt@tty3.service").id == "getty@tty3.service"


def test_drop_ins_are_read_in_the_order_of_their_names_wherever_they_are(units: Units) -> None:
    units.write("a.service", "[Service]\nEnvironment=0\n")
    units.write("a.service.d/20.conf", "[Service]\nEnvironment=20\n", where=ETC)
    units.write("a.service.d/10.conf", "[Service]\nEnvironment=10\n", where=LIB)
    units.write("a.service.d/30.conf", "[Service]\nEnvironment=30\n", where=LIB)
    units.write("a.service.d/40.txt", "[Service]\nEnvironment=40\n", where=LIB)
    assert units.unit("a.service").get("Service", "Environment") == ["0", "10", "20", "30"]


def test_of_drop_ins_with_one_name_that_in_etc_counts(units: Units) -> None:
    units.write("a.service", "[Unit]\n")
    units.write("a.service.d/10.conf", "[Unit]\nDescription=lib\n", where=LIB)
    units.write("a.service.d/10.conf", "[Unit]\nDescription=etc\n", where=ETC)
    assert units.unit("a.service").get("Unit", "Description") == ["etc"]


def test_a_drop_in_can_be_masked(units: Units) -> None:
    units.write("a.service", "[Unit]\n")
    units.write("a.service.d/10.conf", "[Unit]\nDescription=lib\n", where=LIB)
    units.link("a.service.d/10.conf", "/dev/null")
    assert units.unit("a.service").drop_ins == ()


def test_drop_ins_of_the_type_the_prefix_the_template_and_every_alias_count(units: Units) -> None:
    units.write("a-b@.service", "[Unit]\n")
    units.link("other@.service", "a-b@.service", where=LIB)
    names = ("service", "a-.service", "a-b@.service", "a-b@x.service", "other@x.service")
    for number, name in enumerate(names):
        units.write(f"{name}.d/{number}.conf", f"[Service]\nEnvironment={name}\n")
    assert units.unit("other@x.service").get("Service", "Environment") == list(names)


def test_an_empty_assignment_drops_what_came_before(units: Units) -> None:
    units.write("a.service", "[Service]\nExecStart=/bin/one\n")
    units.write("a.service.d/10.conf", "[Service]\nExecStart=\nExecStart=/bin/two\n", where=ETC)
    assert [line.program for line in units.unit("a.service").exec_lines("ExecStart")] == ["/bin/two"]


def test_dependencies_cannot_be_dropped_by_an_empty_assignment(units: Units) -> None:
    units.write("a.target", "[Unit]\nRequires=b.target\n")
    units.write("a.target.d/10.conf", "[Unit]\nRequires=\nRequires=c.target\n", where=ETC)
    assert units.unit("a.target").requires == ("b.target", "c.target")


def test_dependency_directories_add_to_the_settings(units: Units) -> None:
    units.write("a.target", "[Unit]\nWants=b.service\n")
    units.link("a.target.wants/c.service", "/nowhere/c.service")
    units.link("a.target.wants/d.service", "/dev/null")
    units.link("a.target.wants/README", "/nowhere")
    units.write("a.target.wants/e.service", "[Unit]\n")
    units.link("a.target.requires/e.service", f"/{LIB}/e.service", where=LIB)
    unit = units.unit("a.target")
    assert unit.wants == ("b.service", "c.service")
    assert unit.requires == ("e.service",)


def test_a_program_without_a_directory_is_looked_for(units: Units) -> None:
    (units.root / "usr/bin").mkdir()
    (units.root / "usr/bin/tool").write_text("#!/bin/sh\n")
    (units.root / "usr/bin/tool").chmod(0o755)
    units.write("a.service", "[Service]\nExecStart=tool x\nExecStop=nothing\n")
    assert units.unit("a.service").exec_lines("ExecStart")[0].program == "/usr/bin/tool"
    assert units.unit("a.service").exec_lines("ExecStop")[0].program == "/usr/bin/nothing"


def test_all_sections_can_be_read_at_once(units: Units) -> None:
    units.write("a.mount", "[Unit]\nAfter=x.target\nAfter=y.target\n[Mount]\nWhat=tmpfs\nWhere=/tmp\n")
    assert units.unit("a.mount").sections == {
        "Unit": {"After": ["x.target", "y.target"]},
        "Mount": {"What": ["tmpfs"], "Where": ["/tmp"]},
    }


def test_a_unit_of_undecodable_bytes_is_read(units: Units) -> None:
    units.write("a.service", "")
    (units.root / LIB / "a.service").write_bytes(b"\xff\xfe[Unit]\n[Service]\nExecStart=/bin/\xe9\n\0\n")
    unit = units.unit("a.service")
    assert unit.exec_lines("ExecStart")[0].program == os.fsdecode(b"/bin/\xe9")
    assert unit.complaints


def test_a_unit_that_is_a_directory_or_a_fifo_is_no_unit(units: Units) -> None:
    (units.root / LIB / "a.service").mkdir()
    os.mkfifo(units.root / LIB / "b.service")
    assert units.find("a.service") is None
    assert units.find("b.service") is None


@needs_root()
def test_a_directory_that_cannot_be_read_is_not_taken_for_an_empty_one() -> None:
    """As an ordinary user finds it: root may read everything."""
    with tempfile.TemporaryDirectory(prefix="rootfs-kit-nobody-") as place:
        Path(place).chmod(0o755)
        units = Units(Path(place) / "root")
        (units.root / LIB).chmod(0)
        units.root.chmod(0o755)
        assert "Permission denied" in as_nobody(partial(_why_not, units, "sysinit.target"))


def _why_not(units: Units, name: str) -> str:
    try:
        return f"found {units.find(name)}"
    except CouldNotLook as error:
        return error.found


@needs_program("systemd-analyze")
def test_systemd_misses_the_same_programs(units: Units) -> None:
    units.write("a.service", '[Service]\nExecStart=@"/opt/my\\x41" name \\\n # x\n  y\n')
    assert units.systemd_misses("a.service") == {
        line.program for line in units.unit("a.service").exec_lines("ExecStart")
    }
