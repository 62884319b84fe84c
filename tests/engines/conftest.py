"""One ordinary user for all tests of the engines, and the archive in miniature where that user can read it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.build.builds import Mirror
from tests.build.conftest import archive, mirror, mounts_stay_as_they_were
from tests.engines.guests import Guests, tarball_of_all_sorts
from tests.support.agents import stand_in_agent
from tests.support.ordinary_user import OrdinaryUser, ordinary_user

__all__ = ["archive", "mirror", "mounts_stay_as_they_were"]


@pytest.fixture(scope="session")
def user() -> Iterator[OrdinaryUser]:
    with ordinary_user() as made:
        yield made


@pytest.fixture(scope="session")
def guests(mirror: Mirror, user: OrdinaryUser) -> Guests:
    """Builds of the guest in miniature, by root and by the user."""
    tarball = tarball_of_all_sorts(stand_in_agent(), user.place / "agent.tar")
    return Guests(user, mirror.url, user.bring(mirror.distros), tarball)
