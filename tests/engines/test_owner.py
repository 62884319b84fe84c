"""What root builds can be given to a user, and is then what the user would have built."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.build.builds import differences, left_behind
from tests.engines.guests import EPOCH, Guests
from tests.engines.test_userns import NODES, by_user

__all__ = ["by_user"]
pytestmark = [pytest.mark.slow, pytest.mark.network]


def test_a_directory_given_away_is_the_one_that_the_user_builds(guests: Guests, by_user: Path) -> None:
    target = guests.user.home / "given"
    done = guests.by_root(target, "--owner", guests.user.name, SOURCE_DATE_EPOCH=EPOCH)
    assert (done.status, done.out) == (0, b""), done.err
    ours, theirs = guests.seen_by_user(target), guests.seen_by_user(by_user)
    assert set(differences(ours, theirs)) == NODES
    assert (target / "opt/setuid").stat().st_mode & 0o7777 == 0o4755
    assert left_behind(target) == []
    removed = guests.user.run("rm", str(target))
    assert removed.status == 0, removed.err


def test_an_archive_given_away_is_the_users_file(guests: Guests) -> None:
    target = guests.user.home / "given.tar"
    done = guests.by_root(target, "--format", "tar", "--owner", str(guests.user.uid), SOURCE_DATE_EPOCH=EPOCH)
    assert done.status == 0, done.err
    status = target.stat()
    assert (status.st_uid, status.st_gid) == (guests.user.uid, guests.user.gid)


def test_nobody_but_root_gives_anything_away(guests: Guests) -> None:
    done = guests.by_user(guests.user.home / "none", "--owner", "root")
    assert done.status == 2
    assert "only root can give files away" in done.err


@pytest.mark.parametrize(
    ("owner", "more", "told"),
    [
        ("no-such-user", (), "there is no such user on this host"),
        ("daemon", (), "/etc/subuid gives no ids to daemon"),
        ("daemon", ("--format", "tar", "-r", "-"), "standard output has an owner already"),
    ],
)
def test_who_cannot_have_it_is_told_before_anything_begins(
    guests: Guests, owner: str, more: tuple[str, ...], told: str
) -> None:
    target = guests.user.place / "refused"
    done = guests.by_root(target, "--owner", owner, *more)
    assert done.status == 2
    assert told in done.err
    assert not os.path.lexists(target)
