"""apk, dnf and zypper in a user namespace: what an ordinary user builds with them is what root builds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.alpine.builds import Alpine
from tests.alpine.conftest import alpine_of
from tests.engines.guests import EPOCH, differing_members
from tests.rpm_builds.conftest import mirror_of, world
from tests.rpm_builds.mirrors import RpmMirror
from tests.support.agents import stand_in_agent
from tests.support.ordinary_user import OrdinaryUser

__all__ = ["mirror_of", "world"]

pytestmark = [pytest.mark.slow, pytest.mark.network]


@pytest.fixture(scope="module")
def alpine(user: OrdinaryUser) -> Iterator[Alpine]:
    """In a place that the user can read, the mirror's own apk among it."""
    for made in alpine_of("3.20", user.place / "alpine"):
        subprocess.run(["chmod", "-R", "a+rX", str(user.place / "alpine")], check=True)
        yield made


def require_the_same_tar(user: OrdinaryUser, *arguments: str, **environ: str) -> None:
    line = [
        "build", *arguments, "--quiet", "--agent-bin", str(user.bring(stand_in_agent())), "--format", "tar",
        "--rootfs-dir", "-",
    ]  # fmt: skip
    by_user = user.run(*line, SOURCE_DATE_EPOCH=EPOCH, **environ)
    assert by_user.status == 0, by_user.err
    by_root = user.run_as_root(*line, SOURCE_DATE_EPOCH=EPOCH, **environ)
    assert by_root.status == 0, by_root.err
    assert "\n".join(differing_members(by_user.out, by_root.out)) == ""
    assert by_user.out == by_root.out
    assert len(by_user.out) > 1 << 20


def test_apk(user: OrdinaryUser, alpine: Alpine) -> None:
    require_the_same_tar(
        user, "alpine", "--agent-init", "--distros-dir", str(alpine.distros), "--mirror", alpine.url,
        PATH=f"{alpine.programs}:{os.environ['PATH']}",
    )  # fmt: skip


@pytest.mark.parametrize(("distro", "version"), [("fedora", "44"), ("opensuse", "16.0")])
def test_dnf_and_zypper(
    user: OrdinaryUser, mirror_of: Callable[[str, str], RpmMirror], distro: str, version: str
) -> None:
    mirror = mirror_of(distro, version)
    distros: Path = user.bring(mirror.distros)
    require_the_same_tar(user, distro, "--os-version", version, "--distros-dir", str(distros), "--mirror", mirror.url)
