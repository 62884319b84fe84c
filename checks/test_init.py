"""Init: the first program that the guest's kernel starts, and whether it is the one that was meant."""

from __future__ import annotations

import re

import pytest

from rootfs_kit.axes import Content, InitMode
from rootfs_kit.spelling import spelt
from rootfs_kit.suite.agent_units import skip_where_nvrc_is_init
from rootfs_kit.suite.anatomy import INIT, SYSTEMD_PATHS, InitProgram, init_program
from rootfs_kit.suite.check import AGENT_INIT, ERROR, FULL, OVERLAY, SYSTEMD, WARN, check, require
from rootfs_kit.suite.profile import Profile
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.elf import NotElf

EXPECTED_PROGRAM = {
    InitMode.SYSTEMD: {InitProgram.SYSTEMD, InitProgram.NVRC},
    InitMode.AGENT: {InitProgram.AGENT, InitProgram.PACKED, InitProgram.PROBE},
}
# libsystemd-shared-257.so of Debian, libsystemd-shared-257.3-1.fc42.so of Fedora.
LIBRARY_OF_SYSTEMD = re.compile(r"libsystemd-shared-([0-9]{1,4})\b")
FIRST_WITH_EXECUTOR = 255


@check("INI-01", severity=ERROR, content=FULL, source="image_builder.sh:199-205; kernel init/main.c")
def test_init_is_executable(rootfs: RootfsTree) -> None:
    """Guards against a guest whose kernel finds no /sbin/init.

    Links are followed inside the rootfs: Kata's own gate takes any link for good, even a dangling one. Install the
    init system, or build with --agent-init.
    """
    init = rootfs.file(INIT)
    require(
        init.is_executable,
        INIT,
        found=init.describe(),
        expected="an executable regular file, reached by links that stay inside the rootfs",
        at_boot="the kernel panics: No working init found",
        mend="install the init system, or let the agent be init (--agent-init)",
    )


@check("INI-02", severity=ERROR, content=FULL, source="image_builder.sh:211-257; kata-containers/osbuilder#322")
def test_init_is_the_kind_that_was_asked_for(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against a rootfs of one init mode in a build of the other.

    The image and initrd builders have to be told AGENT_INIT=yes or no, and a gate names the profile; a tree of the
    other kind boots to nothing. Build the tree in the mode that the profile names, or name the other profile.
    """
    program = init_program(rootfs)
    if program is InitProgram.NONE:
        pytest.skip("there is no init: INI-01 reports that")
    if profile.init is InitMode.AGENT and program is InitProgram.OTHER:
        pytest.skip("init is no agent: INI-03 reports that")
    require(
        program in EXPECTED_PROGRAM[profile.init],
        INIT,
        found=f"{program} ({rootfs.resolve(INIT).final})",
        expected="systemd" if profile.init is InitMode.SYSTEMD else "kata-agent itself",
        at_boot=_wrong_mode_at_boot(profile.init),
        mend=f"build the rootfs in the mode that the profile names, or name the other one: {spelt('profile')}",
    )


def _wrong_mode_at_boot(init: InitMode) -> str:
    if init is InitMode.SYSTEMD:
        return "no service manager comes up: chrony, D-Bus and the agent's unit are never started"
    return "the runtime waits for an agent that nobody starts, and times out connecting to the vsock"


@check("INI-03", severity=ERROR, init=AGENT_INIT, source="image_builder.sh:245-257 passes /bin/true as init")
def test_init_is_the_agent(rootfs: RootfsTree, allow_probe_agent: bool) -> None:
    """Guards against an agent-init rootfs whose init is busybox, a shell or anything else that runs.

    The agent is recognised by what is inside the program, not by its name. Put kata-agent at /sbin/init.
    """
    program = init_program(rootfs)
    if program in (InitProgram.NONE, InitProgram.SYSTEMD, InitProgram.NVRC):
        pytest.skip("there is no init, or it is another init system: INI-01 and INI-02 report that")
    allowed = {InitProgram.AGENT, InitProgram.PACKED} | ({InitProgram.PROBE} if allow_probe_agent else set())
    require(
        program in allowed,
        INIT,
        found=f"{program} ({rootfs.resolve(INIT).final})",
        expected="kata-agent",
        at_boot="the guest starts, and the runtime times out connecting to an agent that is not there",
        mend=_how_to_get_the_agent(program),
    )


def _how_to_get_the_agent(program: InitProgram) -> str:
    if program is InitProgram.PROBE:
        return f"build with a real kata-agent (--agent-bin), or allow the probe: {spelt('allow-probe-agent')}"
    return "put the kata-agent binary at /sbin/init (rootfs-kit build --agent-init --agent-bin FILE)"


@check(
    "INI-04",
    severity=ERROR,
    content=FULL | OVERLAY,
    features=["initrd"],
    source="initrd_builder.sh:80-91; kernel Documentation/filesystems/ramfs-rootfs-initramfs.rst",
)
def test_initrd_has_an_init_at_its_root(rootfs: RootfsTree) -> None:
    """Guards against an initrd whose kernel finds no /init, and mounts some other root instead.

    The kernel starts /init of an initramfs, not /sbin/init. Make /init a link to /sbin/init.
    """
    init = rootfs.file("/init")
    require(
        init.is_executable,
        "/init",
        found=init.describe(),
        expected="an executable, or a link to one",
        at_boot="the kernel ignores the initrd and panics: VFS: Unable to mount root fs",
        mend="make /init a symbolic link to /sbin/init",
    )
    same = rootfs.resolve("/init").final == rootfs.resolve(INIT).final
    require(
        same or not rootfs.file(INIT).is_file or init.sha256() == rootfs.file(INIT).sha256(),
        "/init",
        found=f"{rootfs.resolve('/init').final}, while {INIT} is {rootfs.resolve(INIT).final}",
        expected=f"the same program as {INIT}",
        at_boot="the initrd starts another program than an image of the same rootfs would",
        mend="make /init a symbolic link to /sbin/init",
    )


@check(
    "INI-04",
    severity=WARN,
    content=FULL | OVERLAY,
    features=["initrd"],
    source="initrd_builder.sh:80-91; kata-containers a00a7c500a",
)
def test_initrd_reaches_its_init_by_one_link(rootfs: RootfsTree) -> None:
    """Guards against an /init that leads through several links: Kata's initrd builder found kernels that give up there.

    Let /init name the program itself.
    """
    chain = rootfs.resolve("/init").chain
    ours = [link for link in chain if link == "/init" or rootfs.file(link).is_file]
    require(
        len(ours) <= 1,
        "/init",
        found="/init, by way of " + ", ".join(ours[1:]),
        expected="one link that names the program itself",
        at_boot="some kernels do not follow the second link, and panic: No working init found",
        mend=f"make /init a link to {(rootfs.resolve('/init').final or INIT).lstrip('/')}",
    )


@check("INI-05", severity=ERROR, content=FULL, init=SYSTEMD, source="image_builder.sh:208-230")
def test_systemd_is_executable(rootfs: RootfsTree) -> None:
    """Guards against a systemd guest without systemd's manager where init and the image builder look for it."""
    skip_where_nvrc_is_init(rootfs, "it needs no systemd")
    paths = [path for path in SYSTEMD_PATHS if rootfs.file(path).is_executable]
    require(
        bool(paths),
        SYSTEMD_PATHS[0],
        found=rootfs.file(SYSTEMD_PATHS[0]).describe(),
        expected="systemd's manager, executable, at " + " or ".join(SYSTEMD_PATHS),
        at_boot="the kernel panics: /sbin/init leads to a program that is not there",
        mend="install systemd (Debian: the packages init and systemd)",
    )


@check("INI-05", severity=ERROR, content=FULL, init=SYSTEMD, source="systemd 255 NEWS; src/core/manager.c, manager_new")
def test_systemd_has_its_executor(rootfs: RootfsTree) -> None:
    """Guards against systemd 255 or later without systemd-executor, the program that it starts all others through.

    It opens that before anything else. Which release it is, the name of the library that it needs tells.
    """
    systemd = next((path for path in SYSTEMD_PATHS if rootfs.file(path).is_executable), None)
    if systemd is None:
        pytest.skip("there is no systemd: test_systemd_is_executable reports that")
    release = _release_of_systemd(rootfs, systemd)
    if release is None or release < FIRST_WITH_EXECUTOR:
        pytest.skip("this systemd starts programs by itself, or does not say its release")
    require(
        any(rootfs.file(f"{path}-executor").is_executable for path in SYSTEMD_PATHS),
        f"{systemd}-executor",
        found=rootfs.file(f"{systemd}-executor").describe(),
        expected=f"the executor of systemd {release}",
        at_boot="systemd freezes at once: Failed to allocate manager object: No such file or directory",
        mend="install the package systemd again, whole",
    )


def _release_of_systemd(rootfs: RootfsTree, systemd: str) -> int | None:
    try:
        libraries = rootfs.elf(systemd).needed
    except NotElf:
        return None
    releases = (LIBRARY_OF_SYSTEMD.match(name) for name in libraries)
    return next((int(release[1]) for release in releases if release), None)


@check("INI-06", severity=ERROR, content=OVERLAY, init=SYSTEMD, source="rootfs.sh:670-685")
def test_overlay_leads_init_to_systemd(rootfs: RootfsTree) -> None:
    """Guards against an overlay whose /sbin/init, once laid over a rootfs with systemd, is not systemd.

    systemd itself comes from the base, so the link dangles here; it must name where systemd will be.
    """
    for path in ("/init", INIT, "/usr/sbin/init"):
        if rootfs.lstat(path) is None:
            continue
        resolution = rootfs.resolve(path)
        end = resolution.final or resolution.missing_at or ""
        require(
            end in SYSTEMD_PATHS or any(systemd.startswith(f"{end}/") for systemd in SYSTEMD_PATHS),
            path,
            found=rootfs.file(path).describe(),
            expected=f"a link that ends at {SYSTEMD_PATHS[0]}",
            at_boot="the merged rootfs starts another program than systemd: the agent's unit never runs",
            mend=f"make {path} a link that ends at {SYSTEMD_PATHS[0]}, or leave it to the base",
        )


@check("INI-06", severity=ERROR, content=OVERLAY, init=AGENT_INIT, source="rootfs.sh:670-685, 336-347")
def test_agent_init_overlay_does_not_start_systemd(rootfs: RootfsTree, profile: Profile) -> None:
    """Guards against an overlay with the agent at /sbin/init and an /init that still leads to systemd.

    osbuilder makes exactly that; as an initrd it starts systemd, or nothing.
    """
    assert profile.content is Content.OVERLAY
    resolution = rootfs.resolve("/init")
    end = resolution.final or resolution.missing_at or ""
    require(
        rootfs.lstat("/init") is None or end == rootfs.resolve(INIT).final,
        "/init",
        found=rootfs.file("/init").describe(),
        expected=f"nothing, or a link to {INIT}",
        at_boot="as an initrd, the kernel starts /init: systemd or nothing, but not the agent",
        mend=f"remove /init from the overlay, or make it a link to {INIT}",
    )
