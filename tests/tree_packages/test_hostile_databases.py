"""A database that was made to harm is refused in good time: it hangs nothing, and what breaks is told as damage."""

from __future__ import annotations

import json
import sqlite3
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.packages import Package
from rootfs_kit.tree.packages.apk import parse_installed
from rootfs_kit.tree.packages.documents import parse_manifest, parse_summary
from rootfs_kit.tree.packages.dpkg import parse_status
from rootfs_kit.tree.packages.pacman import parse_desc
from rootfs_kit.tree.packages.rpm_bdb import read_bdb
from rootfs_kit.tree.packages.rpm_header import DamagedRecord, parse_header
from rootfs_kit.tree.packages.rpm_ndb import read_ndb
from rootfs_kit.tree.packages.rpm_sqlite import read_sqlite
from tests.support.damage import damaged
from tests.support.limits import within
from tests.support.requirements import needs_program
from tests.support.trees import OSBUILDER_YAML, write
from tests.tree_packages import made_rpm, real_rpm

FUZZING = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
STATUS = (
    b"Package: libc6\nStatus: install ok installed\nVersion: 2.41\nProvides: a (= 1),\n b\nInstalled-Size: 9\n\n" * 3
)
APK = b"P:musl\nV:1.2.5-r0\nA:x86_64\nI:655360\no:musl\np:so:libc.musl-x86_64.so.1=1\nF:lib\nR:libc.so\n\n" * 3
DESC = b"%NAME%\nchrony\n\n%VERSION%\n4.5-1\n\n%SIZE%\n5\n\n%PROVIDES%\na=1\nb\n"
MANIFEST = json.dumps({"packages": {"method": "dpkg", "installed": [{"name": "a", "version": "1"}]}}).encode()
SUMMARY = OSBUILDER_YAML.format(machine="x86_64", agent_init="no").encode()
HEADERS = [made_rpm.header(f"package{number}", provides=[("x", "1"), ("y", "")]) for number in range(60)]
LONG_HEADER = made_rpm.header("long", more=[(1004, made_rpm.STRING, "word " * 4000)])
TEXTS = {
    "dpkg": (STATUS, lambda data: parse_status(data, "/status")),
    "apk": (APK, lambda data: parse_installed(data, "/installed")),
    "pacman": (DESC, lambda data: parse_desc(data, "/desc")),
    "manifest": (MANIFEST, parse_manifest),
    "osbuilder.yaml": (SUMMARY, parse_summary),
    "header": (made_rpm.header("made", epoch=1, provides=[("x", "1"), ("y", "")]), parse_header),
    "ndb": (made_rpm.ndb_database(HEADERS[:5]), read_ndb),
}


def survives(read, data):
    with within(20):
        try:
            read(data)
        except (CouldNotLook, DamagedRecord) as error:
            assert str(error).isprintable() or "\n" in str(error)


@pytest.mark.parametrize("name", TEXTS)
@FUZZING
@given(st.data())
def test_damage_anywhere_is_survived(name, data):
    valid, read = TEXTS[name]
    survives(read, data.draw(st.one_of(damaged(valid), st.binary(max_size=300))))


def packages_in(read):
    return lambda data: [parse_header(header) for header in read(data)]


@FUZZING
@given(st.data())
def test_damage_anywhere_in_a_sqlite_database_is_survived(tmp_path_factory, data):
    survives(packages_in(lambda content: read_sqlite(content, {})), data.draw(damaged(_sqlite(tmp_path_factory))))


@FUZZING
@given(st.data())
def test_damage_in_a_log_beside_a_sqlite_database_is_survived(tmp_path_factory, data):
    log = data.draw(st.one_of(damaged(b"\x37\x7f\x06\x82" + b"\0" * 4200), st.binary(min_size=1, max_size=100)))
    survives(packages_in(lambda content: read_sqlite(content, {"-wal": log})), _sqlite(tmp_path_factory))


@needs_program("db_load")
@FUZZING
@given(st.data())
def test_damage_anywhere_in_a_berkeley_database_is_survived(tmp_path_factory, data):
    survives(packages_in(read_bdb), data.draw(damaged(_berkeley(tmp_path_factory))))


_made: dict[str, bytes] = {}


def _sqlite(factory):
    if "sqlite" not in _made:
        _made["sqlite"] = made_rpm.sqlite_database(factory.mktemp("made") / "rpmdb.sqlite", [*HEADERS, LONG_HEADER])
    return _made["sqlite"]


def _berkeley(factory):
    if "bdb" not in _made:
        rows = list(enumerate([*HEADERS, LONG_HEADER], 1))
        _made["bdb"] = real_rpm.berkeley_database(factory.mktemp("made") / "Packages", rows).read_bytes()
    return _made["bdb"]


def refused(read, data):
    with within(20), pytest.raises(DamagedRecord) as caught:
        packages_in(read)(data)
    return str(caught.value)


def test_a_header_of_huge_counts_is_refused():
    assert "claims 4294967295 entries" in refused(lambda data: [data], struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF))
    provides = [(1047, made_rpm.STRING_ARRAY, ["a"] * 9)]
    whole = made_rpm.header(more=provides)
    entry = whole.index(struct.pack(">II", 1047, made_rpm.STRING_ARRAY))
    many = whole[: entry + 12] + struct.pack(">I", 0x0FFFFFFF) + whole[entry + 16 :]
    assert refused(lambda data: [data], many) == "tag 1047 of the header lies outside of its data"


def test_a_header_without_a_name_is_damage():
    assert refused(lambda data: [data], made_rpm.header_of([(1001, 6, "1.0")])) == "the header has no name and version"


def test_slots_that_all_point_to_one_blob_are_refused():
    content = made_rpm.header("made")
    blob = made_rpm.ndb_blob(1, content)
    slots = struct.pack("<4sIII", b"Slot", 1, 256, len(blob) // 16) * 254
    database = struct.pack("<4sIIII12x", b"RpmP", 0, 7, 1, 2) + slots + blob
    assert refused(read_ndb, database) == "package 1 lies where something else does"


def test_an_ndb_database_that_was_cut_short_is_refused():
    database = made_rpm.ndb_database(HEADERS)
    assert refused(read_ndb, database[:-16]).endswith("it was cut short")
    assert "cannot hold 4294967295 pages" in refused(read_ndb, database[:12] + b"\xff" * 4 + database[16:])


def test_a_changed_byte_in_an_ndb_blob_is_noticed():
    database = bytearray(made_rpm.ndb_database(HEADERS))
    database[-30] ^= 1
    assert refused(read_ndb, bytes(database)) == "package 1 does not match its checksum"


@needs_program("db_load")
def test_pages_of_a_berkeley_database_that_go_round_are_refused(tmp_path_factory):
    database = bytearray(_berkeley(tmp_path_factory))
    page = struct.unpack_from("<I", database, 20)[0]
    kinds = {number: database[number * page + 25] for number in range(len(database) // page)}
    first = next(number for number, kind in kinds.items() if kind in (2, 13))
    struct.pack_into("<I", database, first * page + 16, first)
    assert refused(read_bdb, bytes(database)) == f"page {first} is reached twice"


@needs_program("db_load")
def test_overflow_pages_of_a_berkeley_database_that_go_round_are_refused(tmp_path_factory):
    database = bytearray(_berkeley(tmp_path_factory))
    page = struct.unpack_from("<I", database, 20)[0]
    overflow = next(number for number in range(len(database) // page) if database[number * page + 25] == 7)
    struct.pack_into("<I", database, overflow * page + 16, overflow)
    assert "is reached twice" in refused(read_bdb, bytes(database))


@needs_program("db_load")
def test_a_berkeley_database_that_was_cut_short_is_refused(tmp_path_factory):
    database = _berkeley(tmp_path_factory)
    assert refused(read_bdb, database[: len(database) // 2]).endswith("it was cut short")


def sqlite_with(tmp_path, script):
    connection = sqlite3.connect(tmp_path / "made")
    connection.executescript(script)
    connection.close()
    return (tmp_path / "made").read_bytes()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT x'00' AS blob FROM n"


@pytest.mark.parametrize(
    "script",
    [
        f"CREATE VIEW Packages AS {ENDLESS};",
        "CREATE TABLE Packages (hnum INTEGER, blob AS (hex(zeroblob(100000000)))); INSERT INTO Packages VALUES (1);",
        "CREATE VIRTUAL TABLE Packages USING fts5(blob); INSERT INTO Packages VALUES ('a');",
        "CREATE TABLE Packages (hnum INTEGER, blob TEXT); INSERT INTO Packages VALUES (1, 'text');",
        "CREATE TABLE Packages (hnum INTEGER); INSERT INTO Packages VALUES (1);",
        "CREATE TABLE Name (hnum INTEGER); INSERT INTO Name VALUES (1);",
    ],
)
def test_a_sqlite_database_that_is_not_rpms_is_refused(tmp_path, script):
    refused(lambda data: read_sqlite(data, {}), sqlite_with(tmp_path, script))


def test_a_schema_that_is_no_text_is_damage_that_can_be_told(tmp_path):
    database = sqlite_with(tmp_path, "CREATE TABLE Packages (hnum INTEGER, blob BLOB);")
    for name in (b"\x80\xffckages", b"\x1b[31mges"):
        damaged_schema = database.replace(b"tablePackagesPackages", b"table" + name + b"Packages")
        assert damaged_schema != database
        assert refused(lambda data: read_sqlite(data, {}), damaged_schema).isprintable()


@pytest.mark.parametrize(
    ("rows", "words"),
    [([made_rpm.header("made")] * 600, "its rows share their pages"), ([b""] * 6000, "sqlite says: interrupted")],
)
def test_a_sqlite_database_whose_pages_form_a_lattice_is_given_up(tmp_path, rows, words):
    database = lattice(made_rpm.sqlite_database(tmp_path / "made", rows))
    assert words in refused(lambda data: read_sqlite(data, {}), database)


def lattice(database, levels=18):
    """The root of its table points twice to a page that points twice to the next, and so on, down to one leaf.

    So many levels make 2 ** levels times the leaf's rows; sqlite itself goes down 20 at most.
    """
    page = 4096
    root = next(number for number in range(1, len(database) // page) if database[number * page] == 5)
    leaf = struct.unpack_from(">I", database, root * page + 8)[0]
    below = [len(database) // page + 1 + level for level in range(levels - 1)]
    pages = [_pointing_twice_to(number, page) for number in (*below, leaf)]
    whole = bytearray(database + b"".join(pages[1:]))
    whole[root * page : (root + 1) * page] = pages[0]
    struct.pack_into(">I", whole, 28, len(whole) // page)
    return bytes(whole)


def _pointing_twice_to(number, page):
    """An interior page of a table: one cell, and the child on its right (sqlite.org, fileformat2.html 1.6)."""
    made = bytearray(page)
    struct.pack_into(">BHHHBIH", made, 0, 5, 0, 1, page - 5, 0, number, page - 5)
    struct.pack_into(">IB", made, page - 5, number, 1)
    return bytes(made)


def test_a_provides_field_of_a_million_lines_is_read_in_good_time(tmp_path):
    write(tmp_path, "var/lib/dpkg/status", STATUS.decode() + STATUS.decode().replace(" b\n", " b\n" * 500_000, 1))
    with within(20):
        assert isinstance(open_rootfs(tmp_path).packages["libc6"], Package)


@pytest.mark.parametrize("letter", ["a", " ", "(", "=", ","])
def test_a_field_of_one_letter_repeated_is_read_in_good_time(letter):
    provides = (letter * 300_000).encode()
    with within(20):
        parse_status(STATUS.replace(b"a (= 1)", provides), "/status")
        parse_installed(APK.replace(b"so:libc", provides), "/installed")
