"""Gate: whether Kata's own image and initrd builders would take this tree, and with which AGENT_INIT.

Their scripts look at the tree from the host: they follow an absolute link to the *host's* file of that name. A tree
can be right for its guest and still be refused there, or be taken for the wrong reason.
"""

from __future__ import annotations

import pytest

from rootfs_kit.axes import InitMode
from rootfs_kit.suite.anatomy import INIT, InitProgram, find_agent, init_program
from rootfs_kit.suite.check import AGENT_INIT, ERROR, FULL, INFO, SYSTEMD, check, require
from rootfs_kit.suite.profile import Profile
from rootfs_kit.tree import RootfsTree

REFUSED = "no image or initrd is built: the builder stops with an error, or bakes in a path of its own host"


def first_absolute_link(rootfs: RootfsTree, path: str) -> str | None:
    """The first link on the way from `path` to its file that a program outside the guest would follow elsewhere."""
    chain = rootfs.resolve(path).chain
    return next((link for link in chain if (rootfs.file(link).link_text or "").startswith("/")), None)


@check(
    "GAT-01", severity=ERROR, content=FULL, init=AGENT_INIT, source="image_builder.sh:245-257; initrd_builder.sh:71-79"
)
def test_image_builder_takes_the_agent_as_init(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against an agent-init tree that Kata's builders refuse although its guest would boot.

    They run `[ -x ROOTFS/sbin/init ]`, which follows an absolute link on the host. Make init a regular file (the
    builders are then to be called with AGENT_INIT=yes).
    """
    assert profile.init is InitMode.AGENT
    if init_program(rootfs) is InitProgram.NONE:
        pytest.skip("there is no init: INI-01 reports that")
    link = first_absolute_link(rootfs, INIT)
    require(
        link is None,
        link or INIT,
        found=rootfs.file(link or INIT).describe(),
        expected=f"{INIT} as a regular file, or relative links, for AGENT_INIT=yes image_builder.sh",
        at_boot=REFUSED,
        mend=f"put the agent itself at {INIT}, or make the link relative",
    )


@check("GAT-01", severity=ERROR, content=FULL, init=SYSTEMD, source="initrd_builder.sh:71-79")
def test_initrd_builder_finds_the_agent(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against an agent at /usr/bin/kata-agent that Kata's initrd builder does not see from the host.

    It runs `[ -x ROOTFS/usr/bin/kata-agent ]`, which follows an absolute link on the host. Make it a file or a
    relative link (the builders are then to be called with AGENT_INIT=no).
    """
    assert profile.init is InitMode.SYSTEMD
    place = "/usr/bin/kata-agent"
    if init_program(rootfs) is InitProgram.NVRC or not rootfs.file(place).is_executable:
        pytest.skip("NVRC is the init, or there is no agent at this path: AGT-01 reports that")
    link = first_absolute_link(rootfs, place)
    require(
        link is None,
        link or place,
        found=rootfs.file(link or place).describe(),
        expected="a regular file or a relative link, for AGENT_INIT=no initrd_builder.sh",
        at_boot=REFUSED,
        mend=f"put the agent itself at {place}, or make the link relative",
    )


@check("GAT-01", severity=INFO, content=FULL, source="image_builder.sh:193-260; initrd_builder.sh:71-94")
def test_builders_are_told_about_this_tree(rootfs: RootfsTree, profile: Profile) -> None:
    """Notes how Kata's image and initrd builders are to be called for this tree: they do not look for themselves."""
    if init_program(rootfs) is InitProgram.NONE:
        pytest.skip("there is no init: INI-01 reports that")
    agent = find_agent(rootfs)
    name = agent.path.rpartition("/")[2] if agent is not None else "kata-agent"
    settings = f"AGENT_INIT={'yes' if profile.init is InitMode.AGENT else 'no'}"
    settings += f" AGENT_BIN={name}" if name != "kata-agent" else ""
    require(
        False,
        INIT,
        found=f"{init_program(rootfs)}",
        expected=f"{settings} image_builder.sh ROOTFS, or {settings} initrd_builder.sh ROOTFS",
        at_boot="with the other setting, the builder refuses the tree or bakes in an init that is not there",
        mend="nothing: this is how to call the builders",
    )
