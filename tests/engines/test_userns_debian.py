"""A guest from Debian's own archive, with a file that has a capability: the user's tar is root's to the byte."""

from __future__ import annotations

import io
import tarfile

import pytest

from tests.engines.guests import EPOCH, differing_members
from tests.support.agents import stand_in_agent
from tests.support.ordinary_user import OrdinaryUser
from tests.support.requirements import require_debian_archive

pytestmark = [pytest.mark.slow, pytest.mark.network]

# Its maintainer script runs setcap(8), where that is installed before it.
PING = "libcap2-bin iputils-ping"
PATIENCE = 600


def test_the_users_tar_of_a_real_guest_is_roots(user: OrdinaryUser) -> None:
    require_debian_archive()
    agent = user.bring(stand_in_agent())
    arguments = [
        "build", "debian", "--quiet", "--os-version", "bookworm", "--agent-bin", str(agent), "--extra-pkgs", PING,
        "--format", "tar", "--rootfs-dir", "-",
    ]  # fmt: skip
    by_user = user.run(*arguments, seconds=PATIENCE, SOURCE_DATE_EPOCH=EPOCH)
    assert by_user.status == 0, by_user.err
    by_root = user.run_as_root(*arguments, seconds=PATIENCE, SOURCE_DATE_EPOCH=EPOCH)
    assert by_root.status == 0, by_root.err
    assert "\n".join(differing_members(by_user.out, by_root.out)) == ""
    assert by_user.out == by_root.out
    with tarfile.open(fileobj=io.BytesIO(by_user.out)) as tar:
        owners = {member.gid for member in tar}
        attributes = {name for member in tar for name in member.pax_headers if name.startswith("SCHILY.xattr.")}
    assert len(owners) >= 4  # root, and groups such as shadow, messagebus and _chrony
    assert attributes == {"SCHILY.xattr.security.capability"}
