"""What must start with a unit, and whether it can: held against the host's own systemd where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rootfs_kit.tree.units import UnitProblemKind
from tests.tree_units.workshop import ETC, LIB, Units

HAS_SYSTEMD = shutil.which("systemd-analyze") is not None
TARGET = "kata-containers.target"
Kind = UnitProblemKind
REASONS = {Kind.MISSING: "not found", Kind.DANGLING: "not found", Kind.MASKED: "is masked"}


@pytest.fixture
def units(tmp_path: Path) -> Units:
    """Kata's target as the agent's `make install` writes it, with all that it requires."""
    units = Units(tmp_path)
    units.write(
        TARGET,
        "[Unit]\nRequires=basic.target\nRequires=tmp.mount\nRequires=kata-agent.service\nWants=chronyd.service\n",
    )
    units.write("kata-agent.service", "[Unit]\nWants=kata-containers.target\n[Service]\nExecStart=/bin/true\n")
    units.write("basic.target", "[Unit]\nRequires=sysinit.target\nWants=sockets.target\n")
    units.write("sockets.target", "[Unit]\n")
    units.write("tmp.mount", "[Mount]\nWhat=tmpfs\nWhere=/tmp\n")
    units.write("chrony.service", "[Service]\nExecStart=/bin/true\n")
    units.link("chronyd.service", f"/{LIB}/chrony.service")
    return units


def test_everything_is_there(units: Units) -> None:
    closure = units.closure(TARGET)
    assert closure.problems == ()
    assert closure.wanted_problems == ()
    assert set(closure.units) == {TARGET, "basic.target", "tmp.mount", "kata-agent.service", "sysinit.target"}
    assert not HAS_SYSTEMD or units.systemd_refuses(TARGET) is None


def removed(name: str) -> Callable[[Units], None]:
    return lambda units: (units.root / LIB / name).unlink()


def masked(name: str) -> Callable[[Units], None]:
    return lambda units: units.link(name, "/dev/null")


def masked_by_an_empty_file(name: str) -> Callable[[Units], None]:
    return lambda units: units.write(name, "", where=ETC)


def replaced_by_a_dangling_alias(units: Units) -> None:
    (units.root / LIB / "tmp.mount").unlink()
    units.link("tmp.mount", f"/{LIB}/gone.mount")


def replaced_by_a_dangling_link(units: Units) -> None:
    (units.root / LIB / "tmp.mount").unlink()
    units.link("tmp.mount", "/nowhere/tmp.mount")


def required_by(setting: str) -> Callable[[Units], None]:
    return lambda units: units.write("tmp.mount.d/x.conf", f"[Unit]\n{setting}=lost.target\n", where=ETC)


def required_by_directory(units: Units) -> None:
    units.link("basic.target.requires/lost.target", f"/{LIB}/lost.target")


DEFECTS = {
    "a missing mount": (removed("tmp.mount"), Kind.MISSING, "tmp.mount", TARGET),
    "a missing target two steps away": (removed("sysinit.target"), Kind.MISSING, "sysinit.target", "basic.target"),
    "a masked mount": (masked("tmp.mount"), Kind.MASKED, "tmp.mount", TARGET),
    "a mount masked by an empty file": (masked_by_an_empty_file("tmp.mount"), Kind.MASKED, "tmp.mount", TARGET),
    "a masked service": (masked("kata-agent.service"), Kind.MASKED, "kata-agent.service", TARGET),
    "a dangling alias": (replaced_by_a_dangling_alias, Kind.DANGLING, "tmp.mount", TARGET),
    "a dangling link": (replaced_by_a_dangling_link, Kind.DANGLING, "tmp.mount", TARGET),
    "a lost Requires=": (required_by("Requires"), Kind.MISSING, "lost.target", "tmp.mount"),
    "a lost BindsTo=": (required_by("BindsTo"), Kind.MISSING, "lost.target", "tmp.mount"),
    "a lost Requisite=": (required_by("Requisite"), Kind.MISSING, "lost.target", "tmp.mount"),
    "a lost unit in .requires/": (required_by_directory, Kind.MISSING, "lost.target", "basic.target"),
}


@pytest.mark.parametrize(("defect", "kind", "name", "by"), DEFECTS.values(), ids=DEFECTS.keys())
def test_one_defect_makes_one_problem(
    units: Units, defect: Callable[[Units], None], kind: UnitProblemKind, name: str, by: str
) -> None:
    defect(units)
    (problem,) = units.closure(TARGET).problems
    assert (problem.kind, problem.unit, problem.required_by) == (kind, name, by)
    assert (problem.path is None) == (kind is Kind.MISSING)
    assert name in str(problem) and by in str(problem)
    if HAS_SYSTEMD:
        refused = units.systemd_refuses(TARGET)
        assert refused is not None and refused[1] == REASONS[kind]


def test_a_missing_unit_that_is_only_wanted_is_told_apart(units: Units) -> None:
    (units.root / ETC / "chronyd.service").unlink()
    closure = units.closure(TARGET)
    assert closure.problems == ()
    assert [(one.unit, one.required_by) for one in closure.wanted_problems] == [("chronyd.service", TARGET)]
    assert not HAS_SYSTEMD or units.systemd_refuses(TARGET) is None


def test_a_service_without_default_dependencies_needs_no_sysinit(units: Units) -> None:
    units.write("early.service", "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/true\n")
    units.write("late.service", "[Service]\nExecStart=/bin/true\n")
    (units.root / LIB / "sysinit.target").unlink()
    assert units.closure("early.service").problems == ()
    assert [one.unit for one in units.closure("late.service").problems] == ["sysinit.target"]
    assert not HAS_SYSTEMD or units.systemd_refuses("early.service") is None
    assert not HAS_SYSTEMD or units.systemd_refuses("late.service") == ("sysinit.target", "not found")


def test_a_service_with_a_name_on_the_bus_needs_the_bus(units: Units) -> None:
    """What breaks when dbus is left out: systemd-logind and whatever requires it."""
    units.write("bus.service", "[Service]\nType=dbus\nBusName=org.example\nExecStart=/bin/true\n")
    assert [one.unit for one in units.closure("bus.service").problems] == ["dbus.socket"]
    assert not HAS_SYSTEMD or units.systemd_refuses("bus.service") == ("dbus.socket", "not found")


@pytest.mark.parametrize("name", ["user.slice", "dev-vda.device", "-.mount"])
def test_units_that_systemd_makes_itself_need_no_file(units: Units, name: str) -> None:
    units.write("a.target", f"[Unit]\nRequires={name}\n")
    assert units.closure("a.target").problems == ()
    assert not HAS_SYSTEMD or units.systemd_refuses("a.target") is None


def test_of_scopes_only_that_of_init_is_always_there(units: Units) -> None:
    """PID 1 makes init.scope for itself; `systemd-analyze verify` is not PID 1 and cannot be asked."""
    units.write("a.target", "[Unit]\nRequires=init.scope\n")
    assert units.closure("a.target").problems == ()
    units.write("a.target", "[Unit]\nRequires=other.scope\n")
    assert [one.unit for one in units.closure("a.target").problems] == ["other.scope"]
    assert not HAS_SYSTEMD or units.systemd_refuses("a.target") == ("other.scope", "not found")


def test_requirements_that_go_round_end(units: Units) -> None:
    units.write("a.target", "[Unit]\nRequires=b.target\n")
    units.write("b.target", "[Unit]\nRequires=a.target b.target\n")
    assert set(units.closure("a.target").units) == {"a.target", "b.target"}


def test_a_unit_reached_by_two_names_is_one_unit(units: Units) -> None:
    units.write("a.target", "[Unit]\nRequires=chrony.service chronyd.service\n")
    assert set(units.closure("a.target").units) == {"a.target", "chrony.service", "sysinit.target"}


def test_the_unit_itself_is_missing(units: Units) -> None:
    (problem,) = units.closure("nothing.target").problems
    assert (problem.unit, problem.required_by) == ("nothing.target", None)
    assert str(problem) == "nothing.target is not there"
