"""Kernel modules: the right directory is taken, copied without its links to the build host, indexed, and loadable."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rootfs_kit.backends import Command
from rootfs_kit.errors import BuildFailed, HostLacks, UsageError
from rootfs_kit.guest import _run_logged
from rootfs_kit.guest.modules import KernelModules, install_modules, require_modprobe, resolve_modules
from rootfs_kit.tree import RootfsEditor, open_rootfs
from tests.guest.made import SPLIT, Listener, fresh_tree, request
from tests.support.programs import foreign_program, kernel_module
from tests.support.requirements import needs_program
from tests.support.trees import fingerprint, link, write

KERNEL = "6.1.0-made"


def on_host(command: Command) -> None:
    _run_logged(Listener(), command)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """What a kernel's package holds: no index, and links to where it was built."""
    directory = tmp_path / "modules" / KERNEL
    for name, depends in (("made_base", ""), ("made_user", "made_base")):
        place = directory / "kernel" / f"{name}.ko"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(kernel_module(name, KERNEL, depends), place)
        os.chown(place, 1000, 1000)
    write(directory, "modules.order", "kernel/made_base.ko\nkernel/made_user.ko\n")
    write(directory, "modules.builtin", "kernel/made_builtin.ko\n")
    write(directory, "modules.builtin.modinfo", "made_builtin.license=GPL\0")
    link(directory, "build", "/usr/src/linux-headers-of-the-build-host")
    link(directory, "source", "/home/somebody/linux")
    return directory


def refusal(tmp_path: Path, directory: Path) -> str:
    with pytest.raises(UsageError) as caught:
        resolve_modules(request(tmp_path, kernel_modules=directory))
    return str(caught.value)


def test_the_directory_of_one_kernel_is_taken(tmp_path: Path, given: Path) -> None:
    assert resolve_modules(request(tmp_path, kernel_modules=given)) == KernelModules(KERNEL, given)
    assert resolve_modules(request(tmp_path)) is None


def test_the_directory_above_is_explained(tmp_path: Path, given: Path) -> None:
    said = refusal(tmp_path, given.parent)
    assert f"above those of the kernels {KERNEL}" in said
    assert str(given) in said


def test_a_directory_without_modules(tmp_path: Path) -> None:
    assert "modules.dep" in refusal(tmp_path, tmp_path)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path, tmp_path / "missing")


def test_a_directory_that_is_not_called_as_its_kernel(tmp_path: Path, given: Path) -> None:
    other = given.rename(given.with_name("latest"))
    assert f"Rename the directory to {KERNEL}" in refusal(tmp_path, other)


def test_modules_for_another_machine(tmp_path: Path, given: Path) -> None:
    for place in given.rglob("*.ko"):
        shutil.copyfile(foreign_program(kernel_module(place.stem, KERNEL)), place)
    assert "the guest is to be" in refusal(tmp_path, given)


def test_a_damaged_module(tmp_path: Path, given: Path) -> None:
    write(given, "kernel/a_first.ko", "not a module")
    assert "a_first.ko" in refusal(tmp_path, given)


@needs_program("depmod")
def test_modules_are_copied_indexed_and_owned_by_root(editor: RootfsEditor, given: Path) -> None:
    home = editor.resolve("/lib").final
    before = fingerprint(given)
    for _ in range(2):
        install_modules(editor, KernelModules(KERNEL, given), on_host)
        tree = open_rootfs(editor.root)
        assert tree.module_versions == (KERNEL,)
        assert tree.modules(KERNEL).problems() == ()
        assert tree.modules(KERNEL).names == {"made_base", "made_user"}
        entries = list(editor.walk(f"{home}/modules/{KERNEL}"))
        assert {(entry.uid, entry.gid) for entry in entries} == {(0, 0)}
    assert fingerprint(given) == before


@needs_program("depmod")
def test_links_into_the_build_hosts_sources_are_dropped(editor: RootfsEditor, given: Path) -> None:
    editor.make_directory("/home/somebody/linux")
    install_modules(editor, KernelModules(KERNEL, given), on_host)
    assert editor.lstat(f"/lib/modules/{KERNEL}/build") is None
    assert editor.lstat(f"/lib/modules/{KERNEL}/source") is not None


@needs_program("depmod")
def test_a_new_overlay_gets_no_lib_of_its_own(empty: RootfsEditor, given: Path) -> None:
    install_modules(empty, KernelModules(KERNEL, given), on_host)
    assert empty.listdir("/") == ["usr"]
    assert empty.exists(f"/usr/lib/modules/{KERNEL}/modules.dep.bin")


@needs_program("depmod")
def test_depmod_writes_into_the_tree_where_lib_leads_out_of_it(tmp_path: Path, given: Path) -> None:
    """`depmod -b ROOTFS` would follow such a link to the host's own /lib/modules."""
    write(tmp_path, f"host/lib/modules/{KERNEL}/modules.dep", "the host's own")
    root = fresh_tree(tmp_path / "tree", SPLIT)
    (root / "lib").rename(root / "usr/lib.real")
    link(root, "lib", str(tmp_path / "host/lib"))
    before = fingerprint(tmp_path / "host")
    with RootfsEditor(root) as editor:
        editor.make_directory(f"{tmp_path}/host/lib")
        install_modules(editor, KernelModules(KERNEL, given), on_host)
        assert editor.exists(f"/lib/modules/{KERNEL}/modules.dep.bin")
    assert fingerprint(tmp_path / "host") == before


@needs_program("depmod")
def test_without_depmod_an_index_that_is_right_is_kept(
    merged: RootfsEditor, empty: RootfsEditor, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_modules(empty, KernelModules(KERNEL, given), on_host)
    indexed = empty.root / "usr/lib/modules" / KERNEL
    monkeypatch.setattr("rootfs_kit.guest.modules.shutil.which", lambda *_, **__: None)
    install_modules(merged, KernelModules(KERNEL, indexed), on_host)
    assert open_rootfs(merged.root).modules(KERNEL).problems() == ()


def test_without_depmod_an_index_that_is_missing_is_asked_for(
    merged: RootfsEditor, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rootfs_kit.guest.modules.shutil.which", lambda *_, **__: None)
    with pytest.raises(HostLacks, match="kmod"):
        install_modules(merged, KernelModules(KERNEL, given), on_host)


def test_modules_that_nothing_could_load_are_refused(editor: RootfsEditor) -> None:
    require_modprobe(editor, Listener())
    editor.remove("/bin/kmod")
    with pytest.raises(BuildFailed, match="nothing in the rootfs could ever load them"):
        require_modprobe(editor, Listener())


def test_an_overlay_leaves_modprobe_to_its_base_and_says_so(empty: RootfsEditor) -> None:
    listener = Listener()
    require_modprobe(empty, listener)
    assert "/sbin/modprobe" in listener.notes[0]


def test_a_directory_that_only_has_one_called_kernel_is_refused(tmp_path: Path) -> None:
    """/etc has one, for hooks of kernel packages."""
    (tmp_path / "etc/kernel/postinst.d").mkdir(parents=True)
    (tmp_path / "etc/kernel/postinst.d/initramfs-tools").touch()
    with pytest.raises(UsageError, match="nor a module below kernel/"):
        resolve_modules(request(tmp_path, kernel_modules=tmp_path / "etc"))
