"""The units that start the agent, for the checks that ask what they say."""

from __future__ import annotations

import pytest

from rootfs_kit.suite.anatomy import InitProgram, init_program
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.units import Unit, find_unit

SERVICE = "kata-agent.service"
TARGET = "kata-containers.target"


def skip_where_nvrc_is_init(rootfs: RootfsTree, so: str) -> None:
    """NVRC starts the agent itself, without a service manager; `so` is what that means for the calling check."""
    if init_program(rootfs) is InitProgram.NVRC:
        pytest.skip(f"NVRC is the init of this guest: {so}")


def the_unit(rootfs: RootfsTree, name: str) -> Unit:
    """The unit of that name; skips the calling check where systemd would not load any."""
    unit = find_unit(rootfs, name)
    if unit is None or unit.masked:
        pytest.skip(f"there is no {name}: test_agent_units_are_there reports that")
    return unit
