"""What one ELF file says of itself, on files that the host's own tools have made."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.elf import ElfFile, ElfType, NotElf, machine_name
from tests.support.requirements import needs_program
from tests.tree_elf.workshop import ALONE, EDITED_BY_HAND, LIBRARY, PROGRAM, compile_c

pytestmark = needs_program("cc")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture(scope="module")
def dynamic(shelf: Path) -> Path:
    return compile_c(ALONE, shelf / "dynamic")


@pytest.fixture(scope="module")
def library(shelf: Path) -> Path:
    return compile_c(LIBRARY, shelf / "libanswer.so.1", "-shared", "-fPIC", "-Wl,-soname,libanswer.so.1")


def test_the_machine_is_named_as_the_kernel_names_it(dynamic: Path) -> None:
    assert ElfFile(dynamic).machine == platform.machine()
    assert ElfFile(dynamic).elf_class == 8 * struct.calcsize("P")


@pytest.mark.parametrize(
    ("number", "bits", "order", "name"),
    [
        (62, 64, "<", "x86_64"),
        (183, 64, "<", "aarch64"),
        (40, 32, "<", "armv7l"),
        (21, 64, "<", "ppc64le"),
        (21, 64, ">", "ppc64"),
        (22, 64, ">", "s390x"),
        (243, 64, "<", "riscv64"),
        (999, 64, "<", "machine 999 (64-bit)"),
    ],
)
def test_every_machine_that_kata_runs_on_has_its_name(number: int, bits: int, order: str, name: str) -> None:
    assert machine_name(number, bits, order) == name


def test_a_dynamic_program_names_its_loader_and_libraries(dynamic: Path) -> None:
    elf = ElfFile(dynamic)
    assert elf.interpreter is not None and Path(elf.interpreter).exists()
    assert any(name.startswith("libc.") for name in elf.needed)
    assert not elf.is_static
    assert not elf.is_static_pie


def test_a_library_is_no_static_program(library: Path) -> None:
    elf = ElfFile(library)
    assert (elf.type, elf.soname, elf.interpreter) == (ElfType.SHARED, "libanswer.so.1", None)
    assert not elf.is_static
    assert not elf.is_static_pie


def test_a_static_program_is_static(shelf: Path) -> None:
    elf = ElfFile(compile_c(ALONE, shelf / "static", "-static"))
    assert (elf.type, elf.is_static, elf.is_static_pie, elf.needed) == (ElfType.EXECUTABLE, True, False, ())


def test_a_static_pie_is_static_too(shelf: Path) -> None:
    elf = ElfFile(compile_c(ALONE, shelf / "static-pie", "-static-pie"))
    assert (elf.type, elf.is_static, elf.is_static_pie, elf.needed) == (ElfType.SHARED, True, True, ())


def test_search_paths_are_told_apart(shelf: Path, library: Path) -> None:
    old = compile_c(PROGRAM, shelf / "old", str(library), "-Wl,--disable-new-dtags,-rpath,/a:$ORIGIN/b")
    new = compile_c(PROGRAM, shelf / "new", str(library), "-Wl,--enable-new-dtags,-rpath,/a:$ORIGIN/b")
    assert (ElfFile(old).rpath, ElfFile(old).runpath) == (("/a", "$ORIGIN/b"), ())
    assert (ElfFile(new).rpath, ElfFile(new).runpath) == ((), ("/a", "$ORIGIN/b"))


@needs_program("strip")
def test_stripping_and_debug_information_are_seen(shelf: Path) -> None:
    program = compile_c(ALONE, shelf / "debug", "-g")
    assert (ElfFile(program).is_stripped, ElfFile(program).has_debug_info) == (False, True)
    subprocess.run(["strip", "--strip-debug", program], check=True)
    assert (ElfFile(program).is_stripped, ElfFile(program).has_debug_info) == (False, False)
    subprocess.run(["strip", program], check=True)
    assert (ElfFile(program).is_stripped, ElfFile(program).has_debug_info) == (True, False)


@pytest.mark.parametrize(("flag", "executable"), [("-Wl,-z,execstack", True), ("-Wl,-z,noexecstack", False)])
def test_an_executable_stack_is_seen(shelf: Path, flag: str, executable: bool) -> None:
    assert ElfFile(compile_c(ALONE, shelf / f"stack-{executable}", flag)).has_executable_stack is executable


def test_symbol_versions_are_read_on_both_sides(shelf: Path) -> None:
    script = shelf / "versions.map"
    script.write_text("OLD_1.0 { };\nNEW_2.0 { global: answer; local: *; } OLD_1.0;\n")
    library = compile_c(
        LIBRARY, shelf / "libversioned.so.1", "-shared", "-fPIC",
        "-Wl,-soname,libversioned.so.1", f"-Wl,--version-script,{script}",
    )  # fmt: skip
    program = compile_c(PROGRAM, shelf / "versioned", str(library))
    assert ElfFile(library).symbol_versions_offered == {"OLD_1.0", "NEW_2.0"}
    assert ElfFile(program).symbol_versions_needed["libversioned.so.1"] == ("NEW_2.0",)


@EDITED_BY_HAND
def test_a_weak_version_is_not_needed(shelf: Path) -> None:
    """The loader starts the program without it (VER_FLG_WEAK, glibc elf/dl-version.c)."""
    script = shelf / "weak.map"
    script.write_text("ODD_1.0 { global: answer; local: *; };\n")
    library = compile_c(
        LIBRARY, shelf / "libweak.so.1", "-shared", "-fPIC", "-Wl,-soname,libweak.so.1",
        f"-Wl,--version-script,{script}",
    )  # fmt: skip
    content = bytearray(compile_c(PROGRAM, shelf / "weak", str(library)).read_bytes())
    elf = ElfFile(bytes(content))
    (table,) = (section for section in elf.sections if section.name == b".gnu.version_r")
    position = content.index(elf_hash("ODD_1.0").to_bytes(4, "little"), table.offset)
    content[position + 4] |= 2
    assert ElfFile(bytes(content)).symbol_versions_needed["libweak.so.1"] == ()


def elf_hash(name: str) -> int:
    """The hash of a version's name (System V ABI), by which this test finds the entry in the file."""
    value = 0
    for letter in name.encode():
        value = (value << 4) + letter
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high
    return value


@EDITED_BY_HAND
def test_upx_is_recognised_by_what_it_writes_behind_the_program_headers(dynamic: Path) -> None:
    content = bytearray(dynamic.read_bytes())
    segments = ElfFile(bytes(content)).header.segments
    content[56:58] = (2).to_bytes(2, "little")  # UPX leaves two or three program headers
    end = segments.offset + 2 * segments.entry_size
    assert not ElfFile(bytes(content)).is_upx_packed
    content[end : end + 12] = b"\x8c\xe0\xb9\xc2UPX!\x30\x0a\x0d\x1e"
    assert ElfFile(bytes(content)).is_upx_packed


@EDITED_BY_HAND
def test_a_program_without_section_headers_still_names_its_libraries(dynamic: Path) -> None:
    """The kernel and the loader look at program headers only; some tools cut the sections off."""
    content = bytearray(dynamic.read_bytes())
    whole = ElfFile(bytes(content))
    content[40:48] = bytes(8)
    content[60:64] = bytes(4)
    bare = ElfFile(bytes(content))
    assert (bare.needed, bare.interpreter, bare.is_stripped) == (whole.needed, whole.interpreter, True)


def test_content_is_searched_across_the_pieces_that_it_is_read_in(tmp_path: Path, dynamic: Path) -> None:
    content = dynamic.read_bytes()
    padded = content + bytes((1 << 20) - len(content) - 5) + b"needle in a haystack"
    assert ElfFile(padded).strings_contain(b"needle in a haystack")
    assert not ElfFile(padded).strings_contain(b"needle in a haystacks")


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "empty"), (b"#!/bin/sh\nexit\n", "script"), (b"\x7fEL", "7f 45 4c"), (b"PK\x03\x04", "50 4b")],
)
def test_other_files_are_told_from_elf_files_in_words(tmp_path: Path, content: bytes, word: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(NotElf, match=word) as caught:
        ElfFile(file)
    assert str(file) in str(caught.value)


def test_a_file_of_a_tree_is_read_through_links_inside_it(tmp_path: Path, dynamic: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    shutil.copy(dynamic, tmp_path / "usr/bin/app")
    (tmp_path / "bin").symlink_to("/usr/bin")
    tree = open_rootfs(tmp_path)
    assert tree.elf("/bin/app").needed == ElfFile(dynamic).needed


def test_pyelftools_and_the_fast_headers_agree_on_the_hosts_own_files(dynamic: Path, library: Path) -> None:
    from elftools.elf.elffile import ELFFile

    for path in (dynamic, library, Path(os.path.realpath("/bin/sh"))):
        with path.open("rb") as stream:
            theirs = ELFFile(stream)
            sections = [(one.name.encode(), one["sh_offset"], one["sh_size"]) for one in theirs.iter_sections()]
            segments = [(one["p_offset"], one["p_filesz"], one["p_flags"]) for one in theirs.iter_segments()]
        ours = ElfFile(path)
        assert [(one.name, one.offset, one.size) for one in ours.sections] == sections
        assert [(one.offset, one.size, one.flags) for one in ours.segments] == segments


def test_pyelftools_own_reading_of_the_hosts_libraries_is_ours(library: Path) -> None:
    """Ours goes by the addresses that are mapped, theirs by the sections."""
    beside = {path.resolve() for place in ("/lib", "/usr/lib") for path in Path(place).glob("*-linux-*/lib*.so.*")}
    versioned = 0
    for path in [library, *sorted(beside)[:150]]:
        theirs, ours = _by_pyelftools(path), ElfFile(path)
        assert (ours.needed, ours.soname, ours.runpath) == theirs[:3], path
        assert (dict(ours.symbol_versions_needed), set(ours.symbol_versions_offered)) == theirs[3:], path
        versioned += bool(ours.symbol_versions_needed)
    assert versioned > 0


def _by_pyelftools(path: Path) -> tuple[tuple[str, ...], str | None, tuple[str, ...], dict[str, object], set[str]]:
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        elf = ELFFile(stream)
        tags = list(elf.get_section_by_name(".dynamic").iter_tags())
        needs, offers = (elf.get_section_by_name(name) for name in (".gnu.version_r", ".gnu.version_d"))
        needed = {
            library.name: tuple(one.name for one in versions if not one["vna_flags"] & 2)
            for library, versions in (needs.iter_versions() if needs else ())
        }
        offered = {
            next(iter(names)).name
            for version, names in (offers.iter_versions() if offers else ())
            if not version["vd_flags"] & 1
        }
        soname = next((tag.soname for tag in tags if tag.entry.d_tag == "DT_SONAME"), None)
        runpath = tuple(tag.runpath for tag in tags if tag.entry.d_tag == "DT_RUNPATH")
        return tuple(tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"), soname, runpath, needed, offered


@EDITED_BY_HAND
def test_a_library_without_section_headers_says_the_same(library: Path) -> None:
    """The loader needs none, and some builds remove them (sstrip)."""
    content = bytearray(library.read_bytes())
    content[40:48], content[58:64] = bytes(8), bytes(6)
    stripped = ElfFile(bytes(content))
    assert stripped.sections == () and stripped.dynamic == ElfFile(library).dynamic


def test_a_thousand_files_are_identified_in_the_blink_of_an_eye(dynamic: Path) -> None:
    start = time.perf_counter()
    machines = {(elf := ElfFile(dynamic)).machine + str(elf.elf_class) for _ in range(1000)}
    assert len(machines) == 1
    assert time.perf_counter() - start < 0.6  # measured: 0.06 s; the rest is for a busy machine
