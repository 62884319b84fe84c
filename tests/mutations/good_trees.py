"""The good trees that are broken: real ones, built from Debian's archive, from Alpine's minirootfs, and from nothing.

Each is made once, and never changed: the mutations work on a layer of their own above it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rootfs_kit import manifest
from rootfs_kit.axes import InitMode
from rootfs_kit.distro import Distro
from rootfs_kit.distro.search import find_distro
from rootfs_kit.guest import finish, furnish
from rootfs_kit.guest.agent import resolve_agent
from rootfs_kit.monitor import SilentMonitor
from rootfs_kit.request import BuildRequest
from rootfs_kit.tree import RootfsEditor
from tests.mutations import alpine, debian_agent_init, debian_laden, debian_systemd, initrd, overlay
from tests.mutations.mutation import Mutation
from tests.support import trees
from tests.support.agents import stand_in_agent, stand_in_policy_agent
from tests.support.programs import static_program
from tests.support.real_guests import debian_guest
from tests.support.requirements import require_debian_archive, third_party_data
from tests.support.surroundings import clean_environment

MACHINE = os.uname().machine
EPOCH = 1_700_000_000
SECONDS = 900
ALPINE = "alpine-minirootfs-3.20.3-x86_64.tar.gz"
# What Alpine's minirootfs lacks and a guest needs; its mirrors are not at hand, so that programs stand in.
ALPINE_PROGRAMS = (
    "bin/bash", "usr/sbin/chronyd", "sbin/cryptsetup", "sbin/mkfs.ext4", "sbin/ip6tables-save",
    "sbin/ip6tables-restore", "sbin/iptables-save", "sbin/iptables-restore",
)  # fmt: skip


@dataclass(frozen=True)
class GoodTree:
    """A good tree, what it is held to, and what breaks it. `packed` trees are judged as a cpio archive."""

    name: str
    make: Callable[[], Path]
    profile: str
    mutations: Sequence[Mutation]
    features: tuple[str, ...] = ()
    packed: bool = False


@cache
def _workplace() -> Path:
    place = Path(tempfile.mkdtemp(prefix="rootfs-kit-mutations-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


@cache
def laden_guest() -> Path:
    """A Debian guest with modules, a policy, guest components, the pause bundle and a hook."""
    require_debian_archive()
    target = _workplace() / "laden"
    made = _workplace() / "made"
    trees.systemd_guest(made / "modules")
    trees.confidential_guest(made / "confidential")
    rego = trees.write(made, "allow-all.rego", "package agent_policy\n\ndefault CreateContainerRequest := true\n")
    trees.write(made, "hooks/usr/share/oci/hooks/prestart/hook", "#!/bin/sh\n", 0o755)
    components = ("usr/local/bin", "etc/ocicrypt_config.json")
    build_debian(
        target, "--agent-bin", str(stand_in_policy_agent()), "--agent-policy", str(rego), "--confidential",
        "--kernel-modules", str(made / f"modules/usr/lib/modules/{trees.KERNEL}"),
        "--coco-tarball", str(_packed(made / "confidential", made / "coco.tar.zst", *components)),
        "--pause-tarball", str(_packed(made / "confidential", made / "pause.tar.zst", "pause_bundle")),
        "--guest-hooks-tarball", str(_packed(made / "hooks", made / "hooks.tar.zst", "usr")),
    )  # fmt: skip
    return target


def build_debian(target: Path, *options: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "rootfs_kit", "build", "debian", "--quiet", "-r", str(target), *options],
        env=clean_environment(), stdin=subprocess.DEVNULL, timeout=SECONDS, check=True,
    )  # fmt: skip


def _packed(tree: Path, archive: Path, *names: str) -> Path:
    subprocess.run(["tar", "--zstd", "-C", str(tree), "-cf", str(archive), *names], check=True)
    return archive


@cache
def alpine_guest() -> Path:
    """Alpine's minirootfs as a guest with the agent as init, furnished by the guest layer itself."""
    archive = third_party_data() / "alpine" / ALPINE
    root = _workplace() / "alpine"
    root.mkdir()
    subprocess.run(["tar", "-C", str(root), "-xf", str(archive)], check=True)
    distro, monitor = find_distro("alpine"), SilentMonitor()
    _stand_in_for_packages(root, distro)
    request = BuildRequest(
        root,
        "alpine",
        agent_init=True,
        agent_bin=stand_in_agent(),
        arch=MACHINE,
        os_version="3.20",
        source_date_epoch=EPOCH,
    )
    agent = resolve_agent(request)
    with RootfsEditor(root) as editor:
        furnish(editor, request, agent, distro, monitor)
        manifest.write(editor, request, agent, distro, None)
        finish(editor, request, distro._replace(databases=()), monitor)
    return root


def _stand_in_for_packages(root: Path, distro: Distro) -> None:
    for path in ALPINE_PROGRAMS:
        trees.program(root, path, static_program())
    trees.write(root, "etc/mke2fs.conf", "[defaults]\n")
    names = {*distro.packages.base, *distro.packages.init.get(InitMode.AGENT, ()), "libseccomp"}
    with (root / "lib/apk/db/installed").open("a") as database:
        database.writelines(f"P:{name}\nV:1-r0\nA:{MACHINE}\n\n" for name in sorted(names))


@cache
def new_overlay() -> Path:
    """Kata's files alone, as `rootfs-kit overlay` lays them into a new directory."""
    target = _workplace() / "overlay"
    subprocess.run(
        [sys.executable, "-m", "rootfs_kit", "overlay", "--quiet", "-r", str(target), "--agent-bin", str(stand_in_agent())],
        env=clean_environment(), stdin=subprocess.DEVNULL, timeout=SECONDS, check=True,
    )  # fmt: skip
    return target


GOOD_TREES = (
    GoodTree("Debian, systemd", debian_guest, "systemd", debian_systemd.MUTATIONS),
    GoodTree("Debian, agent-init", lambda: debian_guest(agent_init=True), "agent-init", debian_agent_init.MUTATIONS),
    GoodTree("Debian, laden", laden_guest, "systemd", debian_laden.MUTATIONS, ("confidential", "modules", "policy")),
    GoodTree("Alpine, agent-init", alpine_guest, "agent-init", alpine.MUTATIONS),
    GoodTree("Overlay", new_overlay, "systemd,overlay", overlay.MUTATIONS),
    GoodTree("Initrd", alpine_guest, "agent-init", initrd.MUTATIONS, packed=True),
)
