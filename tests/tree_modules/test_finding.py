"""Which modules there are, and what they need: the answers of the real depmod and modprobe."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.module_file import module_name
from rootfs_kit.tree.module_index import read_index
from rootfs_kit.tree.modules import Module
from tests.support.requirements import needs_program
from tests.tree_modules.workshop import VERSION, Modules, compile_module

pytestmark = needs_program("cc", "depmod", "modprobe")


@pytest.fixture
def modules(tmp_path: Path) -> Modules:
    return Modules(tmp_path / "root").index()


def test_modules_are_found_through_the_merged_usr_link(modules: Modules) -> None:
    tree = modules.read()
    assert tree.directory == f"/lib/modules/{VERSION}"
    assert tree.names == {"made_base", "made_middle", "made_top", "made_alone"}
    assert open_rootfs(modules.root).module_versions == (VERSION,)


def test_modules_of_an_overlay_are_found_without_the_link(modules: Modules) -> None:
    (modules.root / "lib").unlink()
    assert open_rootfs(modules.root).module_versions == (VERSION,)


@pytest.mark.parametrize("name", ["made-base", "made_base"])
def test_dash_and_underscore_are_one(modules: Modules, name: str) -> None:
    assert modules.read().find(name) == Module("made_base", f"/usr/lib/modules/{VERSION}/kernel/lib/made-base.ko")


def test_a_builtin_module_counts_as_present(modules: Modules) -> None:
    found = modules.read().find("made-builtin")
    assert found is not None
    assert found.is_builtin
    assert found.path is None


def test_a_module_that_is_not_there_is_not_found(modules: Modules) -> None:
    assert modules.read().find("made_nothing") is None
    assert modules.modprobe("made_nothing") is None


@pytest.mark.parametrize("name", ["made-base", "made_middle", "made_top", "made_alone"])
def test_dependencies_come_in_the_order_in_which_modprobe_loads_them(modules: Modules, name: str) -> None:
    tree = modules.read()
    found = tree.find(name)
    assert found is not None
    paths = [module.path for module in (*tree.dependencies(name), found)]
    prefix = f"/usr/lib/modules/{VERSION}/"
    assert [path.removeprefix(prefix) for path in paths if path] == modules.modprobe(name)


def test_a_module_that_replaces_another_is_the_one_that_is_found(modules: Modules) -> None:
    """depmod prefers updates/ (depmod.d(5))."""
    compile_module(modules.directory / "updates/made_alone.ko")
    modules.index()
    found = modules.read().find("made_alone")
    assert found is not None
    assert modules.modprobe("made_alone") == ["updates/made_alone.ko"]
    assert found.path == f"/usr/lib/modules/{VERSION}/updates/made_alone.ko"
    assert modules.read().problems() == ()


def test_the_lists_that_depmod_writes_are_read(modules: Modules) -> None:
    modules.write("modules.softdep", "# comment\nsoftdep made-top pre: made-alone post: made_extra\n")
    tree = modules.read()
    assert tree.aliases["made-made_top-*"] == "made_top"
    assert tree.softdeps == {"made_top": ("made_alone", "made_extra")}
    assert tree.order == ("kernel/lib/made-base.ko", "kernel/lib/made_middle.ko")


def test_the_binary_index_says_what_the_text_says(modules: Modules) -> None:
    index = read_index((modules.directory / "modules.dep.bin").read_bytes(), "modules.dep.bin")
    lines = {value for values in index.values() for value in values}
    assert lines == set((modules.directory / "modules.dep").read_text().splitlines())
    assert set(index) == {"made_base", "made_middle", "made_top", "made_alone"}


def test_a_loop_in_modules_dep_ends(modules: Modules) -> None:
    modules.write("modules.dep", "kernel/lib/made-base.ko: kernel/fs/made-alone.ko\n"
                  "kernel/fs/made-alone.ko: kernel/lib/made-base.ko\n")  # fmt: skip
    assert [module.name for module in modules.read().dependencies("made_base")] == ["made_alone"]


def test_a_chain_of_any_length_is_followed(modules: Modules) -> None:
    names = [f"kernel/made{number}.ko" for number in range(5000)]
    for name in (names[0], names[-1]):
        (modules.directory / name).write_bytes(b"")
    lines = [f"{one}: {other}\n" for one, other in pairwise(names)]
    modules.write("modules.dep", "".join(lines))
    assert [module.name for module in modules.read().dependencies("made0")] == ["made4999"]


def test_absolute_paths_of_old_depmods_are_understood(modules: Modules) -> None:
    text = (modules.directory / "modules.dep").read_text()
    absolute = text.replace("kernel/", f"/lib/modules/{VERSION}/kernel/")
    modules.write("modules.dep", absolute)
    assert [module.name for module in modules.read().dependencies("made_middle")] == ["made_base"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("kernel/fs/fuse/fuse.ko", "fuse"),
        ("kernel/drivers/a-b.ko.xz", "a_b"),
        ("x.ko.zst", "x"),
        ("x.ko.gz", "x"),
        ("modules.dep", None),
        ("x.ko.bak", None),
        (".ko", None),
    ],
)
def test_names_of_module_files(path: str, name: str | None) -> None:
    assert module_name(path) == name
