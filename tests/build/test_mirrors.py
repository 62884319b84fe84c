"""The mirrors of a distribution are tried in turn; the first that gives everything is enough."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from rootfs_kit.archive import ANSWER_SECONDS
from tests.build.builds import Mirror, Outcome, left_behind
from tests.support import mirrors as bad
from tests.support.debian_archive import Archive, make_archive, served

NOBODY = "http://127.0.0.1:9/nobody"


def with_mirrors(mirror: Mirror, directory: Path, *addresses: str) -> Path:
    shutil.copytree(mirror.distros, directory)
    description = directory / "debian/distro.toml"
    text = description.read_text()
    assert "mirrors = []" in text
    description.write_text(text.replace("mirrors = []", f"mirrors = {list(addresses)!r}".replace("'", '"'), 1))
    return directory


@dataclass(frozen=True)
class Street:
    """Builds with mirrors that are made to order."""

    good: Mirror
    tmp_path: Path
    stack: ExitStack
    over: Event

    @property
    def target(self) -> Path:
        return self.tmp_path / "rootfs"

    def open(self, misbehave: Callable[..., bool], archive: Archive | None = None) -> tuple[str, list[str]]:
        """The address of a mirror, and the list of what it is asked for."""
        kind = bad.handler(misbehave)
        directory = (archive or self.good.archive).directory
        return self.stack.enter_context(served(directory, kind)), kind.requests

    def build(self, *addresses: str, more: tuple[str, ...] = ()) -> Outcome:
        arguments = self.good.arguments(self.target, *more)
        at = arguments.index("--mirror")
        del arguments[at : at + 2]
        distros = with_mirrors(self.good, self.tmp_path / f"distros{len(os.listdir(self.tmp_path))}", *addresses)
        arguments[arguments.index("--distros-dir") + 1] = str(distros)
        return self.good.run(arguments, self.target)

    def require_nothing_half_built(self) -> None:
        assert not self.target.exists()
        assert left_behind(self.target) == []


@pytest.fixture
def street(mirror: Mirror, tmp_path: Path) -> Iterator[Street]:
    with ExitStack() as stack:
        over = Event()
        yield Street(mirror, tmp_path, stack, over)
        over.set()


def test_a_mirror_that_is_not_there_gives_way_to_the_next(street: Street) -> None:
    done = street.build(NOBODY, street.good.url)
    assert done.status == 0, done.err
    assert f"{NOBODY}: Connection refused; trying the next mirror" in done.err
    assert (street.target / "usr/bin/kata-agent").is_file()


@pytest.mark.parametrize(
    ("misbehave", "said"),
    [
        (bad.answers_not_found, "404 Not Found"),
        (bad.answers_garbage, "trying the next mirror"),
        (bad.drops_connections, "closed connection"),
        (bad.breaks_off, "trying the next mirror"),
        (bad.overloaded(1000), "503 Service Unavailable"),
        (bad.garbles_packages, "trying the next mirror"),
    ],
    ids=["404", "garbage", "drops connections", "breaks off", "503", "garbled packages"],
)
def test_one_that_misbehaves_gives_way_to_the_next(street: Street, misbehave: Callable[..., bool], said: str) -> None:
    address, requests = street.open(misbehave)
    done = street.build(address, street.good.url)
    assert done.status == 0, done.err
    assert requests
    assert f"{address}: " in done.err
    assert said in done.err
    assert (street.target / "usr/bin/kata-agent").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("misbehave", [bad.never_answers, bad.answers_drop_by_drop], ids=["never answers", "trickles"])
def test_a_slow_one_costs_seconds(street: Street, misbehave: Callable[[Event], Callable[..., bool]]) -> None:
    address, _ = street.open(misbehave(street.over))
    begun = time.monotonic()
    done = street.build(address)
    assert done.status == 3
    assert f"{ANSWER_SECONDS} s" in done.err
    # It is given up before apt's own time limits even begin to count.
    assert time.monotonic() - begun < ANSWER_SECONDS + 20
    street.require_nothing_half_built()


def test_one_that_is_overloaded_for_a_moment_is_asked_again(street: Street) -> None:
    address, requests = street.open(bad.overloaded(2))
    done = street.build(address)
    assert done.status == 0, done.err
    index = "/dists/trixie/InRelease"
    assert requests[:3] == [index] * 3


def test_one_whose_signature_is_a_strangers_is_left_alone(street: Street) -> None:
    stranger = make_archive(street.tmp_path / "stranger")
    address, _ = street.open(bad.well_behaved, stranger)
    refused = street.build(address)
    assert refused.status == 3
    assert "NO_PUBKEY" in refused.err
    street.require_nothing_half_built()
    done = street.build(address, street.good.url)
    assert done.status == 0, done.err


def test_what_no_mirror_has_is_not_asked_of_the_next(street: Street) -> None:
    first, asked_of_first = street.open(bad.well_behaved)
    second, asked_of_second = street.open(bad.well_behaved)
    done = street.build(first, second, more=("--extra-pkgs", "no-such-package"))
    assert done.status == 3
    assert "Unable to locate package no-such-package" in done.err
    assert asked_of_first
    assert asked_of_second == []
    street.require_nothing_half_built()


def test_where_all_fail_each_is_told_with_what_it_said(street: Street) -> None:
    lost, _ = street.open(bad.answers_not_found)
    garbled, _ = street.open(bad.garbles_packages)
    done = street.build(NOBODY, lost, garbled)
    assert done.status == 3
    assert "none of the 3 mirrors gave them all" in done.err
    assert f"{NOBODY}: Connection refused" in done.err
    assert f"{lost}: 404 Not Found for dists/trixie/InRelease" in done.err
    assert f"{garbled}: E" in done.err
    street.require_nothing_half_built()


def test_the_one_that_the_user_names_is_the_only_one_asked(street: Street) -> None:
    other, requests = street.open(bad.well_behaved)
    done = street.build(other, more=("--mirror", NOBODY))
    assert done.status == 3
    assert f"asking the mirror {NOBODY}: Connection refused" in done.err
    assert "--mirror URL" in done.err
    assert requests == []
    street.require_nothing_half_built()
