"""An ordinary user builds rpm guests too, as root of a user namespace, and they are what root's are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.build.builds import differences, look
from tests.engines.guests import Guests
from tests.rpm_builds.mirrors import RpmMirror
from tests.support.agents import stand_in_agent
from tests.support.ordinary_user import OrdinaryUser, ordinary_user

EPOCH = "1700000000"


@pytest.fixture(scope="module")
def user() -> Iterator[OrdinaryUser]:
    with ordinary_user() as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize(("distro", "version"), [("fedora", "44"), ("opensuse", "16.0")])
def test_a_users_guest_is_roots_guest(
    mirror_of: Callable[[str, str], RpmMirror], user: OrdinaryUser, distro: str, version: str
) -> None:
    mirror = mirror_of(distro, version)
    distros, agent = user.bring(mirror.distros), user.bring(stand_in_agent())
    arguments = [
        "build", distro, "--os-version", version, "--quiet", "--distros-dir", str(distros), "--mirror", mirror.url,
        "--agent-bin", str(agent),
    ]  # fmt: skip
    targets = {name: user.home / f"{distro}-{name}" for name in ("user", "root")}
    done = user.run(*arguments, "--rootfs-dir", str(targets["user"]), SOURCE_DATE_EPOCH=EPOCH)
    assert done.status == 0, done.err
    done = user.run_as_root(*arguments, "--rootfs-dir", str(targets["root"]), SOURCE_DATE_EPOCH=EPOCH)
    assert done.status == 0, done.err
    guests = Guests(user, mirror.url, distros, agent)
    ours = guests.seen_by_user(targets["user"])
    theirs = look(targets["root"])
    assert [path for path in differences(ours, theirs) if not path.startswith("dev/")] == []
