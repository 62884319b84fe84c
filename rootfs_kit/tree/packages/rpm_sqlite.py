"""rpm's sqlite database (rpmdb.sqlite): a table Packages with a header in each row.

Read from bytes, so that nothing is written beside it: sqlite itself would make a -shm file even to read. Only a
database with changes still in its write-ahead log or rollback journal is copied out of the way first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rootfs_kit.tree.packages.rpm_header import DamagedRecord
from rootfs_kit.tree.paths import shown

if TYPE_CHECKING:
    import sqlite3

MAGIC = b"SQLite format 3\0"
HEADER_SIZE = 100
COMPANIONS = ("-wal", "-journal")
"""What sqlite keeps beside a database that has changes which are not in it yet, or which it has to take back."""

# File format bytes 18 and 19 (sqlite.org, fileformat2.html): 2 asks for a write-ahead log, which nothing in memory has.
_VERSIONS = slice(18, 20)
_NO_LOG = b"\1\1"

_STEPS = 10_000
_LEAST_STEPS = 100
_BYTES_PER_STEPS = 100_000


def read_sqlite(data: bytes, companions: Mapping[str, bytes]) -> list[bytes]:
    """The headers in the database `data`; `companions` holds the files beside it by suffix.

    Raises DamagedRecord.
    """
    import sqlite3

    if not data.startswith(MAGIC) or len(data) < HEADER_SIZE:
        raise DamagedRecord("it is no sqlite database")
    try:
        with _opened(data, companions) as connection:
            return _headers(connection, len(data) + sum(map(len, companions.values())))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # What sqlite says quotes the schema; where that is no text, not even the message can be made.
        raise DamagedRecord(f"sqlite says: {shown(str(error))}") from error
    except OSError as error:
        raise DamagedRecord(f"it could not be copied to apply its log: {error.strerror}") from error


@contextmanager
def _opened(data: bytes, companions: Mapping[str, bytes]) -> Iterator[sqlite3.Connection]:
    import sqlite3

    if any(companions.values()):
        with (
            tempfile.TemporaryDirectory(prefix="rootfs-kit-") as place,
            closing(_copy(data, companions, place)) as copy,
        ):
            yield copy
        return
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(data[: _VERSIONS.start] + _NO_LOG + data[_VERSIONS.stop :])
        yield connection


def _copy(data: bytes, companions: Mapping[str, bytes], place: str) -> sqlite3.Connection:
    import sqlite3

    database = Path(place, "rpmdb.sqlite")
    database.write_bytes(data)
    for suffix, content in companions.items():
        Path(f"{database}{suffix}").write_bytes(content)
    return sqlite3.connect(database)


def _headers(connection: sqlite3.Connection, size: int) -> list[bytes]:
    """Every header, in no more time and memory than a database of `size` bytes can deserve."""
    import sqlite3

    connection.text_factory = bytes
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, size)
    _give_up_after(connection, _LEAST_STEPS + size // _BYTES_PER_STEPS)
    _demand_a_plain_table(connection)
    headers: list[bytes] = []
    total = 0
    for (blob,) in connection.execute("SELECT blob FROM Packages"):
        if not isinstance(blob, bytes):
            raise DamagedRecord(f"row {len(headers) + 1} of Packages holds no header")
        total += len(blob)
        if total > size:
            raise DamagedRecord("its rows share their pages, and would go on without end")
        headers.append(blob)
    return headers


def _give_up_after(connection: sqlite3.Connection, turns: int) -> None:
    """Interrupt a statement that runs on: pages that form a loop or a lattice can be walked for ever."""
    left = iter(range(turns))
    connection.set_progress_handler(lambda: next(left, None) is None, _STEPS)


def _demand_a_plain_table(connection: sqlite3.Connection) -> None:
    """Refuse a Packages that would run something when it is read: a view, a virtual table, a computed column."""
    connection.execute("PRAGMA trusted_schema = OFF")
    found = connection.execute("SELECT type, rootpage FROM sqlite_master WHERE name = 'Packages'").fetchall()
    if [kind for kind, root in found if root] != [b"table"]:
        raise DamagedRecord("it has no table Packages")
    computed = [column for column in connection.execute("PRAGMA table_xinfo(Packages)") if column[6]]
    if computed:
        raise DamagedRecord("its table Packages has computed columns, which rpm's never has")
