"""What can be wrong with a module directory: each defect alone, found and named, on a directory that was right."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.modules import PATIENCE, ModuleProblem, ModuleTree, ProblemKind
from tests.support.requirements import needs_program
from tests.tree_modules.workshop import VERSION, Modules, compile_module

pytestmark = needs_program("cc", "depmod", "modprobe")

PLACE = f"/usr/lib/modules/{VERSION}"


@pytest.fixture
def modules(tmp_path: Path) -> Modules:
    return Modules(tmp_path / "root").index()


def found(modules: Modules) -> list[tuple[ProblemKind, str]]:
    return [(one.kind, one.path) for one in modules.read().problems()]


def test_what_depmod_made_has_no_problem(modules: Modules) -> None:
    assert modules.read().problems() == ()


def test_only_builtin_modules_are_no_problem(modules: Modules) -> None:
    """Kata's own kernel is made so."""
    shutil.rmtree(modules.directory / "kernel")
    modules.index()
    assert found(modules) == []


def test_depmod_was_never_run(tmp_path: Path) -> None:
    modules = Modules(tmp_path / "root")
    assert found(modules) == [(ProblemKind.DEP_MISSING, f"{PLACE}/modules.dep")]
    assert modules.modprobe("made_base") is None


def test_only_the_text_index_was_kept(modules: Modules) -> None:
    (modules.directory / "modules.dep.bin").unlink()
    assert found(modules) == [(ProblemKind.INDEX_MISSING, f"{PLACE}/modules.dep.bin")]
    assert modules.modprobe("made_base") is None


def test_a_module_was_deleted_after_depmod(modules: Modules) -> None:
    (modules.directory / "kernel/lib/made-base.ko").unlink()
    assert found(modules) == [(ProblemKind.FILE_ABSENT, f"{PLACE}/kernel/lib/made-base.ko")]


def test_a_module_was_added_after_depmod(modules: Modules) -> None:
    compile_module(modules.directory / "kernel/extra/made_late.ko")
    assert found(modules) == [(ProblemKind.FILE_NOT_INDEXED, f"{PLACE}/kernel/extra/made_late.ko")]
    assert modules.modprobe("made_late") is None


def test_modules_were_compressed_after_depmod(modules: Modules) -> None:
    modules.compress(".xz")
    assert {kind for kind, _ in found(modules)} == {ProblemKind.FILE_ABSENT}
    modules.index()
    assert found(modules) == []


def test_the_binary_index_is_of_another_day(modules: Modules) -> None:
    old = (modules.directory / "modules.dep.bin").read_bytes()
    compile_module(modules.directory / "kernel/extra/made_late.ko", needs=("made_base",))
    modules.index()
    (modules.directory / "modules.dep.bin").write_bytes(old)
    assert found(modules) == [(ProblemKind.INDEX_STALE, f"{PLACE}/modules.dep.bin")]
    assert modules.modprobe("made_late") is None


@pytest.mark.parametrize("content", [b"", b"\0" * 40, b"kernel/a.ko:\n", b"\xb0\x07\xf4\x57\0\1\0\1\0\0\0\x0c"])
def test_the_binary_index_is_damaged(modules: Modules, content: bytes) -> None:
    (modules.directory / "modules.dep.bin").write_bytes(content)
    assert found(modules) == [(ProblemKind.INDEX_CORRUPT, f"{PLACE}/modules.dep.bin")]
    assert modules.modprobe("made_base") is None


def test_the_whole_modules_directory_was_copied_one_level_too_deep(tmp_path: Path) -> None:
    """KERNEL_MODULES_DIR=…/lib/modules instead of …/lib/modules/<version>."""
    modules = Modules(tmp_path / "right").index()
    root = tmp_path / "guest"
    shutil.copytree(modules.root / "usr/lib/modules", root / "lib/modules/modules")
    tree = open_rootfs(root)
    assert tree.module_versions == ("modules",)
    (problem,) = tree.modules("modules").problems()
    assert (problem.kind, problem.path) == (ProblemKind.NESTED, f"/lib/modules/modules/{VERSION}")


def test_a_second_copy_lies_inside_the_first(modules: Modules) -> None:
    shutil.copytree(modules.directory, modules.directory / "modules")
    assert found(modules) == [(ProblemKind.NESTED, f"{PLACE}/modules")]


def test_an_empty_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "lib/modules/6.6.6").mkdir(parents=True)
    (problem,) = open_rootfs(tmp_path).modules("6.6.6").problems()
    assert (problem.kind, problem.path) == (ProblemKind.EMPTY, "/lib/modules/6.6.6")


def test_a_version_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    tree = open_rootfs(tmp_path).modules("6.6.6")
    assert tree.names == frozenset()
    assert [one.kind for one in tree.problems()] == [ProblemKind.EMPTY]


@pytest.mark.parametrize("name", ["build", "source"])
def test_a_link_to_the_kernels_source_leads_nowhere(modules: Modules, name: str) -> None:
    (modules.directory / name).symlink_to("/usr/src/linux-headers-made")
    assert found(modules) == [(ProblemKind.DANGLING_LINK, f"{PLACE}/{name}")]
    (modules.root / "usr/src/linux-headers-made").mkdir(parents=True)
    assert found(modules) == []


def test_a_module_of_another_kernel_is_named_with_that_kernel(modules: Modules) -> None:
    compile_module(modules.directory / "kernel/fs/made-alone.ko", version="5.10.0-other")
    (problem,) = modules.read().problems()
    assert (problem.kind, problem.path) == (ProblemKind.VERMAGIC, f"{PLACE}/kernel/fs/made-alone.ko")
    assert "5.10.0-other" in str(problem)


def test_a_renamed_directory_makes_one_problem_not_one_per_module(modules: Modules) -> None:
    renamed = modules.directory.with_name("6.1.0-renamed")
    modules.directory.rename(renamed)
    (problem,) = open_rootfs(modules.root).modules("6.1.0-renamed").problems()
    assert problem.kind is ProblemKind.VERMAGIC
    assert "3 more" in str(problem)


def test_links_to_modules_of_kernels_that_fit_are_fine(modules: Modules) -> None:
    """weak-updates/, as SUSE and RHEL make it."""
    compile_module(modules.root / "usr/lib/modules/6.1.0-older/extra/made_extra.ko", version="6.1.0-older")
    (modules.directory / "weak-updates").mkdir()
    (modules.directory / "weak-updates/made_extra.ko").symlink_to("/lib/modules/6.1.0-older/extra/made_extra.ko")
    dep = modules.directory / "modules.dep"
    dep.write_text(dep.read_text() + "weak-updates/made_extra.ko:\n")
    assert [one.kind for one in modules.read().problems()] == [ProblemKind.INDEX_STALE]


def test_modules_for_another_machine_than_the_programs(modules: Modules) -> None:
    (modules.root / "usr/bin").mkdir()
    shutil.copy("/bin/sh", modules.root / "usr/bin/env")
    assert found(modules) == []
    for place in modules.directory.rglob("*.ko"):
        to_another_machine(place)
    problems = modules.read().identity_problems(modules.read().files.values())
    assert [one.kind for one in problems] == [ProblemKind.MACHINE]
    assert platform.machine() not in str(problems[0])
    assert "3 more" in str(problems[0])


def test_one_module_for_another_machine_than_the_rest(modules: Modules) -> None:
    to_another_machine(modules.directory / "kernel/net/made_top.ko")
    assert (ProblemKind.MACHINE, f"{PLACE}/kernel/net/made_top.ko") in found(modules)


def to_another_machine(place: Path) -> None:
    content = bytearray(place.read_bytes())
    content[18:20] = (183 if content[18] != 183 else 62).to_bytes(2, "little")
    place.write_bytes(content)


def truncate(place: Path) -> None:
    place.write_bytes(place.read_bytes()[:90])


def replace_by_text(place: Path) -> None:
    place.write_text("not found\n")


def replace_by_program(place: Path) -> None:
    shutil.copy("/bin/sh", place)


def empty(place: Path) -> None:
    place.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, replace_by_text, replace_by_program, empty])
def test_a_damaged_module_is_named(modules: Modules, damage: Callable[[Path], None]) -> None:
    damage(modules.directory / "kernel/fs/made-alone.ko")
    assert found(modules) == [(ProblemKind.CORRUPT, f"{PLACE}/kernel/fs/made-alone.ko")]


def test_a_module_without_version_magic_is_of_no_kernel(modules: Modules) -> None:
    source = "int nothing;"
    place = modules.directory / "kernel/fs/made-alone.ko"
    subprocess.run(["cc", "-x", "c", "-c", "-", "-o", place], input=source, text=True, check=True)
    assert found(modules) == [(ProblemKind.VERMAGIC, f"{PLACE}/kernel/fs/made-alone.ko")]


def test_a_thousand_files_at_fault_fill_a_handful_of_lines(modules: Modules) -> None:
    for number in range(1000):
        (modules.directory / f"kernel/made{number:04}.ko").write_bytes(b"")
    problems = modules.read().index_problems
    assert len(problems) == 5
    assert "995 more" in str(problems[-1])


def test_few_modules_are_all_judged(modules: Modules) -> None:
    tree = modules.read()
    assert tree.sample() == tuple(tree.files.values())


def test_of_many_packed_modules_every_directory_and_all_strangers_are_judged(
    modules: Modules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the sample misses is a module among its own neighbours; what it never misses is one from outside."""
    compile_module(modules.directory / "extra/made_stranger.ko")
    compile_module(modules.directory / "extra/made_stranger2.ko")
    modules.compress(".xz")
    monkeypatch.setattr("rootfs_kit.tree.modules.PATIENCE", PATIENCE / 1e6)
    relative = [path.removeprefix(f"{PLACE}/") for path in modules.read().sample()]
    assert relative == [
        "extra/made_stranger.ko.xz",
        "extra/made_stranger2.ko.xz",
        "kernel/fs/made-alone.ko.xz",
        "kernel/lib/made-base.ko.xz",
        "kernel/net/made_top.ko.xz",
    ]


def test_every_check_of_a_session_shares_one_reading(modules: Modules) -> None:
    tree = open_rootfs(modules.root)
    first, second = tree.modules(VERSION), tree.modules(VERSION)
    assert first is second
    assert isinstance(first, ModuleTree)
    assert all(isinstance(one, ModuleProblem) for one in first.problems())
