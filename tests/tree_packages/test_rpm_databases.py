"""rpm's databases are read without rpm, whichever kind they are, and say what rpm itself would say."""

from __future__ import annotations

import os
import shutil
import sqlite3

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree import open_rootfs
from tests.support.requirements import needs_program
from tests.support.trees import fingerprint
from tests.tree_packages import made_rpm, real_rpm

KINDS = {"sqlite": "rpmdb.sqlite", "ndb": "Packages.db", "bdb": "Packages"}


@pytest.fixture(scope="module")
def rpms(tmp_path_factory):
    return real_rpm.build(tmp_path_factory.mktemp("rpms"))


@pytest.fixture(scope="module")
def installed(rpms, tmp_path_factory):
    """The directory of a database that rpm made, one package removed again."""
    database = tmp_path_factory.mktemp("installed") / "rpm"
    real_rpm.install(database, rpms)
    real_rpm.erase(database, "sub7")
    return database


def facts(packages):
    """What is read, in the form in which rpm was asked."""
    found = []
    for name in packages:
        for package in packages.every(name):
            epoch, _, rest = package.version.rpartition(":")
            version, _, release = rest.rpartition("-")
            source = f"{package.source}-{package.source_version}.src.rpm"
            size = str(package.installed_size)
            found.append([name, epoch or "0", version, release, package.architecture, source, size])
    return sorted(found)


def tree_with(tmp_path, name, content, directory="usr/lib/sysimage/rpm"):
    place = tmp_path / "rootfs" / directory
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(content)
    return open_rootfs(tmp_path / "rootfs")


@needs_program("rpm", "rpmbuild")
@pytest.mark.parametrize("directory", ["usr/lib/sysimage/rpm", "var/lib/rpm"])
def test_a_database_that_rpm_made_is_read_as_rpm_reads_it(installed, tmp_path, directory):
    shutil.copytree(installed, tmp_path / directory)
    before = fingerprint(tmp_path)
    packages = open_rootfs(tmp_path).packages
    assert packages.method == "rpm-sqlite"
    assert packages.source_path == f"/{directory}/rpmdb.sqlite"
    assert facts(packages) == real_rpm.query(installed)
    assert len(packages) == 39 and "sub7" not in packages
    assert packages["alpha"].version == "2:1.0~rc1-3"
    assert packages["virtual-alpha"].name == packages["bare-alpha"].name == "alpha"
    assert packages.satisfies("virtual-alpha", ">= 4, < 5") is True
    assert fingerprint(tmp_path) == before, "nothing may be written beside a database"


@needs_program("rpm", "rpmbuild", "db_load")
@pytest.mark.parametrize("order", ["little", "big"])
def test_a_berkeley_database_is_read_as_rpm_reads_it(installed, tmp_path, order):
    database = tmp_path / "rootfs/var/lib/rpm"
    database.mkdir(parents=True)
    real_rpm.berkeley_database(database / "Packages", real_rpm.rows(installed), order=order)
    packages = open_rootfs(tmp_path / "rootfs").packages
    assert (packages.method, packages.source_path) == ("rpm-bdb", "/var/lib/rpm/Packages")
    assert facts(packages) == real_rpm.query(database, "bdb_ro") == real_rpm.query(installed)


@needs_program("db_load")
def test_a_berkeley_database_of_many_buckets_and_small_values_is_read_whole(tmp_path):
    headers = [(number, made_rpm.header(f"package{number}")) for number in range(1, 2001)]
    place = real_rpm.berkeley_database(tmp_path / "Packages", headers)
    packages = tree_with(tmp_path, "Packages", place.read_bytes()).packages
    assert set(packages) == {f"package{number}" for number in range(1, 2001)}


@needs_program("rpm", "rpmbuild")
def test_an_ndb_database_is_read_with_the_headers_that_rpm_wrote(installed, tmp_path):
    headers = [header for _, header in real_rpm.rows(installed)]
    packages = tree_with(tmp_path, "Packages.db", made_rpm.ndb_database(headers, gap=3)).packages
    assert packages.method == "rpm-ndb"
    assert facts(packages) == real_rpm.query(installed)


def test_an_ndb_database_with_more_than_one_page_of_slots_is_read_whole(tmp_path):
    headers = [made_rpm.header(f"package{number}") for number in range(600)]
    packages = tree_with(tmp_path, "Packages.db", made_rpm.ndb_database(headers, slot_pages=3)).packages
    assert set(packages) == {f"package{number}" for number in range(600)}


def test_changes_that_are_still_in_the_write_ahead_log_count(tmp_path):
    live, rootfs = tmp_path / "live", tmp_path / "rootfs/var/lib/rpm"
    live.mkdir()
    made_rpm.sqlite_database(live / "rpmdb.sqlite", [made_rpm.header("chrony")])
    connection = sqlite3.connect(live / "rpmdb.sqlite")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("INSERT INTO Packages (blob) VALUES (?)", (made_rpm.header("kmod"),))
    connection.commit()
    shutil.copytree(live, rootfs)
    connection.close()
    assert (rootfs / "rpmdb.sqlite-wal").stat().st_size > 0
    before = fingerprint(rootfs)
    assert set(open_rootfs(tmp_path / "rootfs").packages) == {"chrony", "kmod"}
    assert fingerprint(rootfs) == before


def test_a_transaction_that_was_broken_off_is_taken_back(tmp_path):
    place = tmp_path / "rootfs/var/lib/rpm/rpmdb.sqlite"
    place.parent.mkdir(parents=True)
    made_rpm.sqlite_database(place, [made_rpm.header(f"package{number}") for number in range(400)])
    child = os.fork()
    if child == 0:
        connection = sqlite3.connect(place, isolation_level=None)
        for statement in ("PRAGMA cache_size = 2", "BEGIN", "UPDATE Packages SET blob = x'00'"):
            connection.execute(statement)
        os._exit(0)
    os.waitpid(child, 0)
    assert place.with_name("rpmdb.sqlite-journal").stat().st_size > 0
    assert len(open_rootfs(tmp_path / "rootfs").packages) == 400


def test_keys_that_rpm_trusts_are_no_packages(tmp_path):
    headers = [made_rpm.header("gpg-pubkey", "4bd6ec30", "4c37bb40"), made_rpm.header("chrony", "4.5", "1", epoch=1)]
    packages = tree_with(tmp_path, "Packages.db", made_rpm.ndb_database(headers)).packages
    assert [package.version for package in packages.values()] == ["1:4.5-1"]


def test_parallel_kernels_are_all_there(tmp_path):
    headers = [made_rpm.header("kernel", "6.1"), made_rpm.header("kernel", "6.12")]
    packages = tree_with(tmp_path, "rpmdb.sqlite", made_rpm.sqlite_database(tmp_path / "made", headers)).packages
    assert sorted(package.version for package in packages.every("kernel")) == ["6.1-1", "6.12-1"]
    assert packages.satisfies("kernel", ">= 6.10") is True


def test_the_size_of_a_package_of_more_than_4_gib_is_known(tmp_path):
    large = made_rpm.header("large", more=[(5009, made_rpm.INT64, 5 << 30)])
    packages = tree_with(tmp_path, "Packages.db", made_rpm.ndb_database([large])).packages
    assert packages["large"].installed_size == 5 << 30


@pytest.mark.parametrize("kind", KINDS)
def test_an_emptied_database_is_no_database(tmp_path, kind):
    assert tree_with(tmp_path, KINDS[kind], b"").packages.method == "unknown"


def test_a_database_without_packages_leaves_the_answer_to_other_witnesses(tmp_path):
    tree = tree_with(tmp_path, "rpmdb.sqlite", made_rpm.sqlite_database(tmp_path / "made", []))
    assert tree.packages.method == "unknown"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_database_is_damage_and_not_an_empty_list(tmp_path, kind):
    with pytest.raises(CouldNotLook, match=f"/usr/lib/sysimage/rpm/{KINDS[kind]}: it is no"):
        _ = tree_with(tmp_path, KINDS[kind], b"not a database\n" * 1000).packages


def test_a_database_that_is_a_directory_is_not_taken_for_missing(tmp_path):
    (tmp_path / "usr/lib/sysimage/rpm/rpmdb.sqlite").mkdir(parents=True)
    with pytest.raises(CouldNotLook, match="it is a directory"):
        _ = open_rootfs(tmp_path).packages
