"""Version magic and machine of single module files, packed in every way that kernels use, sound and damaged."""

from __future__ import annotations

import gzip
import io
import platform
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootfs_kit.tree.elf import CorruptElf, NotElf
from rootfs_kit.tree.module_file import CorruptModule, ModuleIdentity, read_identity
from rootfs_kit.tree.module_index import CorruptIndex, read_index
from tests.support.requirements import needs_program
from tests.tree_modules.workshop import COMPRESSIONS, VERSION, Modules, compile_module

pytestmark = needs_program("cc")


@cache
def module() -> bytes:
    with TemporaryDirectory() as directory:
        return compile_module(Path(directory, "made.ko")).read_bytes()


def identity(content: bytes) -> ModuleIdentity:
    return read_identity(io.BytesIO(content), "/lib/modules/made.ko")


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_the_identity_is_the_same_however_the_module_is_packed(suffix: str) -> None:
    found = identity(COMPRESSIONS[suffix](module()))
    assert found.machine == platform.machine()
    assert found.vermagic == f"{VERSION} SMP mod_unload "
    assert found.kernel == VERSION


@needs_program("modinfo")
def test_modinfo_says_the_same(tmp_path: Path) -> None:
    place = compile_module(tmp_path / "made.ko")
    said = subprocess.run(["modinfo", "-F", "vermagic", place], capture_output=True, text=True, check=True).stdout
    assert identity(place.read_bytes()).vermagic == said.removesuffix("\n")


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_the_version_magic_is_found_where_two_pieces_meet(suffix: str) -> None:
    """Packed modules are searched in pieces of 64 KiB."""
    content = module()
    position = content.index(b"vermagic=")
    for shift in (-1, 5, 20, 40):
        filler = b"." * ((1 << 16) - position - shift)
        moved = content[:64] + filler + content[64:]
        assert identity(COMPRESSIONS[suffix](moved)).kernel == VERSION


def test_a_module_that_grows_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rootfs_kit.tree.module_file.LARGEST_MODULE", 1 << 20)
    with pytest.raises(CorruptModule, match="grows"):
        identity(gzip.compress(module()[:64] + bytes(8 << 20)))


@settings(max_examples=200, deadline=2000)
@given(data=st.data(), suffix=st.sampled_from(sorted(COMPRESSIONS)))
def test_damaged_modules_give_an_answer_or_one_clear_error(data: st.DataObject, suffix: str) -> None:
    content = bytearray(COMPRESSIONS[suffix](module()))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    try:
        identity(bytes(content[: data.draw(st.integers(0, len(content)))]))
    except (NotElf, CorruptElf, CorruptModule) as error:
        assert "/lib/modules/made.ko" in str(error)


@cache
def index() -> bytes:
    with TemporaryDirectory() as directory:
        modules = Modules(Path(directory, "root")).index()
        return (modules.directory / "modules.dep.bin").read_bytes()


@needs_program("depmod")
@settings(max_examples=300, deadline=2000)
@given(data=st.data())
def test_damaged_indexes_give_an_answer_or_one_clear_error(data: st.DataObject) -> None:
    content = bytearray(index())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    try:
        read_index(bytes(content[: data.draw(st.integers(0, len(content)))]), "modules.dep.bin")
    except CorruptIndex as error:
        assert "depmod" in str(error)


def test_an_index_that_leads_back_to_itself_is_refused() -> None:
    header = bytes.fromhex("b007f457 00020001 2000000c")
    node = bytes([97, 97]) + (0x2000000C).to_bytes(4, "big")
    with pytest.raises(CorruptIndex, match="twice"):
        read_index(header + node, "modules.dep.bin")
