"""Damaged ELF files give an answer or one clear error: no traceback, no endless loop, no gigabytes."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree.elf import CorruptElf, ElfFile, NotElf
from rootfs_kit.tree.elf_layout import PT_DYNAMIC
from tests.support.requirements import needs_program
from tests.tree_elf.workshop import EDITED_BY_HAND, LIBRARY_THAT_USES_LIBC, compile_c

pytestmark = [needs_program("cc"), EDITED_BY_HAND]

QUESTIONS = [name for name, value in vars(ElfFile).items() if not name.startswith("_") and not callable(value)]
SPOILT = settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.too_slow])


@cache
def sound_file() -> bytes:
    """A real library with everything in it that is read: sections, versions, a dynamic section."""
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory, "versions.map")
        script.write_text("ANSWER_1.0 { global: answer; local: *; };\n")
        flags = ("-shared", "-fPIC", "-Wl,-soname,libanswer.so.1", f"-Wl,--version-script,{script}", "-Wl,-rpath,/x")
        return compile_c(LIBRARY_THAT_USES_LIBC, Path(directory, "libanswer.so.1"), *flags).read_bytes()


def answers(content: bytes) -> dict[str, object]:
    """Everything that can be asked; only the errors that are promised may come out."""
    found: dict[str, object] = {}
    try:
        elf = ElfFile(content, "/usr/lib/libanswer.so.1")
    except (NotElf, CorruptElf) as error:
        return {"refused": str(error)}
    for question in QUESTIONS:
        try:
            found[question] = getattr(elf, question)
        except CorruptElf as error:
            assert "/usr/lib/libanswer.so.1" in str(error)
            found[question] = error
    return found


def test_the_sound_file_answers_everything() -> None:
    assert len(QUESTIONS) > 15
    assert not any(isinstance(answer, Exception) for answer in answers(sound_file()).values())


@SPOILT
@given(data=st.data())
def test_changed_bytes_never_break_the_reader(data: st.DataObject) -> None:
    content = bytearray(sound_file())
    places = data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=12))
    for place in places:
        content[place] = data.draw(st.integers(0, 255))
    answers(bytes(content))


@SPOILT
@given(data=st.data())
def test_changed_header_fields_never_break_the_reader(data: st.DataObject) -> None:
    """Counts and offsets at their limits are what sends readers into space."""
    content = bytearray(sound_file())
    elf = ElfFile(bytes(content))
    tables = [(0, 64), (elf.header.segments.offset, 56 * elf.header.segments.entries)]
    tables += [(elf.header.sections.offset, 64 * elf.header.sections.entries)]
    tables += [
        (section.offset, section.size) for section in elf.sections if section.type in (6, 0x6FFFFFFD, 0x6FFFFFFE)
    ]
    for _ in range(data.draw(st.integers(1, 4))):
        offset, size = data.draw(st.sampled_from(tables))
        width = data.draw(st.sampled_from((2, 4, 8)))
        place = offset + data.draw(st.integers(0, max(0, size // width - 1))) * width
        value = data.draw(st.sampled_from((0, 1, 0x7F, (1 << (8 * width - 1)) - 1, (1 << 8 * width) - 1)))
        content[place : place + width] = value.to_bytes(width, "little")
    answers(bytes(content))


@SPOILT
@given(length=st.integers(0, 20_000))
@example(length=15)
@example(length=63)
def test_a_file_that_ends_anywhere_never_breaks_the_reader(length: int) -> None:
    answers(sound_file()[:length])


@settings(max_examples=100, deadline=2000)
@given(rest=st.binary(max_size=300))
def test_the_magic_alone_makes_no_elf_file(rest: bytes) -> None:
    answers(b"\x7fELF" + rest)


def of_the_segment(content: bytes) -> int:
    """Where the highest byte of the dynamic section's offset stands in its program header."""
    header = ElfFile(content).header.segments.offset
    number = next(number for number, segment in enumerate(ElfFile(content).segments) if segment.type == PT_DYNAMIC)
    return header + 56 * number + 15


def of_the_names(content: bytes) -> int:
    """Where the highest byte of the address in DT_STRTAB stands."""
    segment = next(segment for segment in ElfFile(content).segments if segment.type == PT_DYNAMIC)
    tags = range(segment.offset, segment.offset + segment.size, 16)
    return next(place for place in tags if content[place : place + 8] == b"\5" + bytes(7)) + 15


@pytest.mark.parametrize("place", [of_the_segment, of_the_names])
@pytest.mark.parametrize("byte", [0x69, 0xFF])
def test_parts_beyond_the_end_of_every_filesystem_are_told(
    tmp_path: Path, place: Callable[[bytes], int], byte: int
) -> None:
    """Found by the fuzzers: lseek(2) fails on a file there, as it does not on bytes in memory."""
    content = bytearray(sound_file())
    content[place(bytes(content))] = byte
    (tmp_path / "libanswer.so.1").write_bytes(content)
    with pytest.raises(CorruptElf, match="libanswer"):
        _ = ElfFile(tmp_path / "libanswer.so.1").needed


def test_an_absurd_number_of_sections_costs_no_memory() -> None:
    """With 0 in e_shnum the count stands in the first section's size, which may say anything."""
    content = bytearray(sound_file())
    first = ElfFile(bytes(content)).header.sections.offset
    content[60:62] = bytes(2)
    content[first + 32 : first + 40] = b"\xff" * 8
    tracemalloc.start()
    with pytest.raises(CorruptElf, match="speak of a part of"):
        _ = ElfFile(bytes(content)).sections
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_the_error_says_what_to_do_next() -> None:
    with pytest.raises(CorruptElf) as caught:
        ElfFile(sound_file()[:40], "/usr/bin/kata-agent")
    assert isinstance(caught.value, CouldNotLook)
    assert "/usr/bin/kata-agent" in str(caught.value)
    assert "install it again" in str(caught.value)
