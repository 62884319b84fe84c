"""Packages for another machine are installed by dnf and by zypper, which know their own as the default only.

The programs in them are this host's all the same: scriptlets run without an emulator, and what is tested is which
packages the tools take.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from rootfs_kit.backends.registry import find_backend
from rootfs_kit.distro.search import find_distro
from rootfs_kit.engines.host import HostEngine
from rootfs_kit.request import BuildRequest
from rootfs_kit.tree import open_rootfs
from tests.rpm_builds.mirrors import FOREIGN, RpmMirror, bench_in


@pytest.mark.parametrize(("distro", "version"), [("fedora", "44"), ("azurelinux", "3.0"), ("opensuse", "16.0")])
def test_the_other_machines_packages_are_taken(
    foreign_mirror_of: Callable[[str, str], RpmMirror], tmp_path: Path, distro: str, version: str
) -> None:
    mirror = foreign_mirror_of(distro, version)
    described = find_distro(distro, [mirror.distros])
    request = BuildRequest(tmp_path / "out", distro=distro, arch=FOREIGN, os_version=version)
    planner = partial(find_backend(described.backend).plan, request, described)
    with bench_in(tmp_path) as bench:
        plan = HostEngine().fill(bench, planner, mirror.url)
    installed = open_rootfs(bench.tree).packages
    assert set(plan.packages) <= set(installed)
    assert {installed[name].architecture for name in installed} == {FOREIGN}
