"""A target for Atheris, one reader at a time: `python -m tests.fuzz.harness READER [options of libFuzzer] [CORPUS]`.

Only our own errors may come out of a reader; everything else, and what takes too long or too much memory, is a find.
Runs for as long as it is told (-max_total_time=600), and writes what it found into the directory that it runs in.
Seeds are made on the way, so that it begins at sound files.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["rootfs_kit", "elftools"]):
    from rootfs_kit.errors import RootfsKitError
    from rootfs_kit.tree.elf import ElfFile
    from rootfs_kit.tree.module_file import read_identity
    from rootfs_kit.tree.module_index import read_index
    from rootfs_kit.tree.packages.rpm_bdb import read_bdb
    from rootfs_kit.tree.packages.rpm_header import DamagedRecord, parse_header
    from rootfs_kit.tree.packages.rpm_ndb import read_ndb
    from rootfs_kit.tree.packages.rpm_sqlite import read_sqlite

import contextlib

from tests.support.programs import dynamic_program, kernel_module
from tests.tree_packages import made_rpm

OURS = (RootfsKitError, DamagedRecord)


def elf(data: bytes) -> None:
    file = ElfFile(data)
    _ = (file.machine, file.type, file.interpreter, file.is_static, file.is_stripped, file.has_debug_info)
    _ = (file.needed, file.soname, file.runpath, file.symbol_versions_needed, file.symbol_versions_offered)
    _ = (file.has_executable_stack, file.is_upx_packed, file.is_cut_short)


def module(data: bytes) -> None:
    import io

    read_identity(io.BytesIO(data), "fuzzed.ko")


def header(data: bytes) -> None:
    parse_header(data)


def ndb(data: bytes) -> None:
    for one in read_ndb(data):
        parse_header(one)


def bdb(data: bytes) -> None:
    for one in read_bdb(data):
        parse_header(one)


def sqlite(data: bytes) -> None:
    for one in read_sqlite(data, {}):
        parse_header(one)


def index(data: bytes) -> None:
    read_index(data, "fuzzed.bin")


def seeds(name: str, place: Path) -> list[bytes]:
    headers = [made_rpm.header(f"package{number}", provides=[("x", "1"), ("y", "")]) for number in range(3)]
    made: dict[str, Callable[[], list[bytes]]] = {
        "elf": lambda: [dynamic_program("liba.so.1").read_bytes(), kernel_module("made", "6.1.0").read_bytes()],
        "module": lambda: [kernel_module("made", "6.1.0").read_bytes()],
        "header": lambda: headers,
        "ndb": lambda: [made_rpm.ndb_database(headers)],
        "bdb": lambda: [bytes(12) + b"\x61\x15\x06\x00\x09\x00\x00\x00\x00\x10\x00\x00" + bytes(8168)],
        "sqlite": lambda: [made_rpm.sqlite_database(place / "rpmdb.sqlite", headers)],
        "index": lambda: [b"\xb0\x07\xf4\x57\x00\x02\x00\x01\x40\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x00a\0"],
    }
    return made[name]()


READERS = {one.__name__: one for one in (elf, module, header, ndb, bdb, sqlite, index)}


def main() -> None:
    name = sys.argv.pop(1)
    read = READERS[name]

    def test_one_input(data: bytes) -> None:
        with contextlib.suppress(OURS):
            read(data)

    with tempfile.TemporaryDirectory(prefix="rootfs-kit-seeds-") as place:
        corpus = Path(place) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(seeds(name, Path(place))):
            (corpus / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, str(corpus)], test_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
