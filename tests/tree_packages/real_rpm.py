"""Databases made by rpm itself, and by Berkeley DB's own loader from what rpm wrote."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

SPEC_HEAD = """Name: alpha
Epoch: 2
Version: 1.0~rc1
Release: 3
Summary: made for a test
License: none
BuildArch: noarch
Provides: virtual-alpha = 4.5
Provides: bare-alpha
%description
made for a test
%install
mkdir -p %{buildroot}/opt/alpha
head -c 5000 /dev/zero > %{buildroot}/opt/alpha/file
%files
/opt/alpha
"""
SUBPACKAGE = """%package -n sub{number}
Version: {number}.0
Epoch: 0
Summary: made for a test
%description -n sub{number}
{description}
%files -n sub{number}
"""
QUERY = "%{NAME}|%|EPOCH?{%{EPOCH}}:{0}||%{VERSION}|%{RELEASE}|%{ARCH}|%{SOURCERPM}|%{LONGSIZE}\\n"


def build(place: Path, count: int = 40) -> list[Path]:
    """`count` packages, with headers from small to several pages long."""
    spec = place / "made.spec"
    described = ((number, "a long word " * (number * 37 % 500)) for number in range(1, count))
    subpackages = (SUBPACKAGE.format(number=number, description=text) for number, text in described)
    spec.write_text(SPEC_HEAD + "".join(subpackages))
    _run("rpmbuild", "--define", f"_topdir {place / 'top'}", "-bb", spec)
    return sorted((place / "top/RPMS/noarch").glob("*.rpm"))


def install(database: Path, packages: list[Path]) -> None:
    """Put the packages into rpm's database in the directory `database`; nothing else is written."""
    database.mkdir(parents=True, exist_ok=True)
    _run("rpm", "--dbpath", database, "--nodeps", "--justdb", "-i", *packages)


def erase(database: Path, *names: str) -> None:
    _run("rpm", "--dbpath", database, "--nodeps", "--justdb", "-e", *names)


def query(database: Path, backend: str = "sqlite") -> list[list[str]]:
    """What rpm reads there: name, epoch, version, release, architecture, source and size of each package, sorted."""
    printed = _run("rpm", "--dbpath", database, "--define", f"_db_backend {backend}", "-qa", "--qf", QUERY)
    return sorted(line.split("|") for line in printed.splitlines())


def berkeley_database(place: Path, rows: list[tuple[int, bytes]], *, order: str = "little") -> Path:
    """A hash of `rows` (package number, header) at `place`, as rpm kept it, written by db_load."""
    records = [(0, max([number for number, _ in rows], default=0).to_bytes(4, order)), *rows]
    dump = "VERSION=3\nformat=bytevalue\ntype=hash\nHEADER=END\n"
    dump += "".join(f" {key.to_bytes(4, order).hex()}\n {value.hex()}\n" for key, value in records) + "DATA=END\n"
    code = {"little": "1234", "big": "4321"}[order]
    subprocess.run(["db_load", "-c", f"db_lorder={code}", str(place)], input=dump.encode(), check=True)
    return place


def rows(database: Path) -> list[tuple[int, bytes]]:
    """The numbers and headers in rpm's sqlite database."""
    connection = sqlite3.connect(f"file:{database / 'rpmdb.sqlite'}?mode=ro&immutable=1", uri=True)
    try:
        return connection.execute("SELECT hnum, blob FROM Packages").fetchall()
    finally:
        connection.close()


def _run(*command: str | Path) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
