"""An ordinary user with subordinate ids builds what root builds, with an apk that is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alpine.builds import Alpine, host_has_apk
from tests.build.builds import differences, look, manifest
from tests.support.agents import stand_in_agent
from tests.support.ordinary_user import OrdinaryUser, ordinary_user

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(host_has_apk(), reason="needs a host that has no apk"),
]
EPOCH = "1700000000"


@pytest.fixture
def user() -> Iterator[OrdinaryUser]:
    with ordinary_user() as made:
        yield made


def _seen_by(user: OrdinaryUser, root: Path) -> dict[str, tuple[object, ...]]:
    """As `look`, with the owners that the user's namespace gives them."""
    return {
        path: (mode, *user.inside(int(str(uid)), int(str(gid))), *rest)
        for path, (mode, uid, gid, *rest) in look(root).items()
    }


def test_the_guest_is_roots_but_for_the_device_nodes(user: OrdinaryUser, host: Alpine) -> None:
    distros, agent = user.bring(host.distros), user.bring(stand_in_agent())
    by_user, by_root = user.home / "by-user", user.place / "by-root"
    said = ("build", "alpine", "--quiet", "--agent-init", "--distros-dir", str(distros), "--mirror", host.url,
            "--agent-bin", str(agent))  # fmt: skip
    for run, target in ((user.run, by_user), (user.run_as_root, by_root)):
        done = run(*said, "--rootfs-dir", str(target), SOURCE_DATE_EPOCH=EPOCH)
        assert (done.status, done.out) == (0, b""), done.err
    different = differences(_seen_by(user, by_user), look(by_root))
    assert different
    assert [path for path in different if not path.startswith("dev/")] == []
    # A script of Alpine's writes to /dev/null, and made a file of it where the user could make no node.
    assert not (by_user / "dev/null").exists()
    assert "/dev/null" in {device["path"] for device in manifest(by_user)["devices"]}
    assert (user.home / ".cache/rootfs-kit/apk-static").is_dir()
