"""What somebody expects of one rootfs, beyond what every guest needs; and the faults that they accept for a while.

The values only; `expectation_file.py` reads them from TOML, and the checks compare them with a tree.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import NamedTuple

from rootfs_kit.suite.bounds import ANY_VERSION, Bounds


class ExpectedPackage(NamedTuple):
    """A package that must be there within `bounds`, or must be absent."""

    name: str
    bounds: Bounds = ANY_VERSION
    absent: bool = False


class ExpectedFile(NamedTuple):
    """What one path must be; None is not asked for.

    `mode` holds permission bits, `owner` is (uid, gid), `sha256` in hexadecimal, `pattern` a regular expression that
    some line of the content matches. A path that must be `absent` has nothing else.
    """

    path: str
    mode: int | None = None
    owner: tuple[int, int] | None = None
    sha256: str | None = None
    pattern: str | None = None
    absent: bool = False


class Waiver(NamedTuple):
    """A fault that is accepted until the end of the day `until` (UTC), and why.

    `check` is an id of the catalogue ("NET-02"), of one case of it ("PKG-01[chrony]"), a test's name or its node id;
    `path`, where given, is a glob of the guest paths that the waiver covers. `line` is where it was written.
    """

    check: str
    reason: str
    until: date
    path: str | None = None
    line: int = 0

    def names(self, nodeid: str, check: str | None) -> bool:
        """Whether the waiver is about the test `nodeid` of the check `check`."""
        test = nodeid.rpartition("::")[2]
        function, bracket, case = test.partition("[")
        ids = {nodeid, nodeid.partition("[")[0], test, function}
        if check is not None:
            ids |= {check, f"{check}{bracket}{case}"}
        return self.check in ids

    def covers(self, path: str) -> bool:
        """Whether a finding about `path` is waived."""
        return self.path is None or fnmatchcase(path, self.path)

    def in_force(self, day: date) -> bool:
        return day <= self.until

    @property
    def title(self) -> str:
        """The check, with the path where the waiver is for one."""
        return f"{self.check} {self.path}" if self.path else self.check


def today() -> date:
    """The day by which waivers end: UTC, so that every machine agrees."""
    return datetime.now(UTC).date()


class Expectation(NamedTuple):
    """One file of expectations. `size_budget` is in bytes; None and empty are not asked for.

    `source` names the file; `setuid` are the only paths that may be setuid or setgid.
    """

    source: str | None = None
    profile: str | None = None
    distro: str | None = None
    release: str | None = None
    arch: str | None = None
    kernel: str | None = None
    packages: tuple[ExpectedPackage, ...] = ()
    modules: tuple[str, ...] = ()
    files: tuple[ExpectedFile, ...] = ()
    units: tuple[str, ...] = ()
    size_budget: int | None = None
    agent_version: str | None = None
    setuid: frozenset[str] | None = None
    waivers: tuple[Waiver, ...] = ()

    def asks_for(self, what: str) -> bool:
        """Whether the attribute `what` is set; an empty set of setuid files is, an empty tuple is not."""
        value = getattr(self, what)
        return value is not None and value != ()

    def waivers_of(self, nodeid: str, check: str | None, day: date) -> Iterable[tuple[int, Waiver]]:
        """The waivers in force on `day` for a test, each with its place in `waivers`."""
        return (
            (place, waiver)
            for place, waiver in enumerate(self.waivers)
            if waiver.in_force(day) and waiver.names(nodeid, check)
        )


NOTHING_EXPECTED = Expectation()
