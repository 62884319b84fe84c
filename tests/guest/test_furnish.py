"""The whole guest layer on one tree: both layouts, both init modes, full and overlay, twice, and on hostile trees."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import pytest

from rootfs_kit import manifest
from rootfs_kit.distro import Distro
from rootfs_kit.errors import RootfsKitError
from rootfs_kit.guest import finish, furnish
from rootfs_kit.guest.agent import resolve_agent
from rootfs_kit.request import BuildRequest
from rootfs_kit.suite.clock import read_chrony
from rootfs_kit.tree import RootfsEditor, open_rootfs
from rootfs_kit.tree.units import requirement_closure
from tests.guest.made import DISTRO, EPOCH, MERGED, SPLIT, Listener, fresh_tree, request
from tests.support.agents import stand_in_agent
from tests.support.trees import fingerprint, write
from tests.support.verdicts import caught, judged

CONTENT = stand_in_agent().read_bytes()
CLOCK_FILES = {"etc/chrony/chrony.conf", "etc/chrony/conf.d/extra.conf", "etc/chrony/sources.d/pools.sources"}
OURS = ("etc/systemd/system/", "usr/lib/systemd/system/kata-", "usr/bin/kata-agent", "bin/kata-agent", "init",
        "var/lib/osbuilder/")  # fmt: skip
BOTH_MODES = pytest.mark.parametrize("agent_init", [False, True], ids=["systemd", "agent-init"])


def make_guest(root: Path, asked: BuildRequest, distro: Distro | None = DISTRO, **hands: object) -> Listener:
    """All that a build does to a tree once the packages are in it."""
    listener = Listener()
    agent = resolve_agent(asked)
    with RootfsEditor(root) as editor:
        furnish(editor, asked, agent, distro, listener, **hands)  # type: ignore[arg-type]
        manifest.write(editor, asked, agent, distro, None)
        finish(editor, asked, distro, listener)
    return listener


@BOTH_MODES
def test_a_second_time_changes_nothing(root: Path, agent_init: bool) -> None:
    asked = request(root, agent_init=agent_init, source_date_epoch=EPOCH, delete_units=True)
    before = fingerprint(root)
    make_guest(root, asked)
    once = fingerprint(root)
    kept = (root / "var/lib/osbuilder/manifest.json").read_bytes()
    make_guest(root, asked)
    # Its list of packages is now the manifest's own: the database that it was read from is gone.
    (root / "var/lib/osbuilder/manifest.json").write_bytes(kept)
    assert before != once
    assert fingerprint(root) == once


@BOTH_MODES
def test_who_starts_the_agent(root: Path, agent_init: bool) -> None:
    make_guest(root, request(root, agent_init=agent_init))
    tree = open_rootfs(root)
    for path in ("/usr/bin/kata-agent", "/bin/kata-agent"):
        assert tree.read_bytes(path) == CONTENT
    assert (tree.read_bytes("/sbin/init") == CONTENT) is agent_init
    assert tree.resolve("/init").final == tree.resolve("/sbin/init").final
    assert (tree.unit("kata-agent.service") is not None) is not agent_init
    assert (tree.unit("tmp.mount") is not None) is not agent_init


def test_a_guest_without_chrony_is_not_given_its_configuration(root: Path) -> None:
    (root / "usr/sbin/chronyd").unlink()
    shutil.rmtree(root / "etc/chrony")
    make_guest(root, request(root))
    assert not (root / "etc/chrony").exists()
    assert not (root / "etc/chrony.conf").exists()


def test_a_rootfs_without_an_agent_is_cleaned_and_nothing_of_katas_is_added(root: Path) -> None:
    make_guest(root, request(root, rootfs_only=True, agent_bin=None))
    tree = open_rootfs(root)
    assert not tree.exists("/usr/bin/kata-agent")
    assert tree.unit("kata-containers.target") is None
    assert tree.lstat("/etc/hostname") is None
    assert "ntp.example" in tree.read_bytes("/etc/chrony/chrony.conf").decode()


def test_the_users_files_win_over_katas_and_their_leftovers_go(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "mine/etc/systemd/system/tmp.mount", "[Mount]\nWhat=tmpfs\nWhere=/tmp\n# mine\n")
    script = write(tmp_path, "run.sh", "#!/bin/sh\n")
    ran: list[str] = []

    def run_inside(argv: Sequence[str]) -> None:
        ran.extend(argv)
        write(root, "var/cache/left-by-the-script", "x")

    asked = request(root, overlay_dirs=(tmp_path / "mine",), run_scripts=(script,))
    make_guest(root, asked, run_inside=run_inside)
    assert "# mine" in (root / "etc/systemd/system/tmp.mount").read_text()
    assert len(ran) == 1
    assert list((root / "var/cache").iterdir()) == []


@BOTH_MODES
def test_an_overlay_on_a_tree_touches_nothing_that_it_does_not_own(root: Path, agent_init: bool) -> None:
    """rootfs.sh:693 wipes var/lib, var/cache, var/log and var/tmp of the tree that it was given."""
    init = "usr/sbin/init" if (root / "sbin").is_symlink() else "sbin/init"
    before = _contents(root)
    make_guest(root, request(root, agent_init=agent_init), None)
    after = _contents(root)
    assert before.keys() <= after.keys()
    changed = {path for path, content in before.items() if after[path] != content}
    assert changed == CLOCK_FILES | ({init} if agent_init else set())
    assert {path for path in after.keys() - before.keys() if not path.startswith(OURS)} == set()


def _contents(root: Path) -> dict[str, object]:
    """Every path below `root` that is no directory, with its content or link text."""
    return {
        str(place.relative_to(root)): place.readlink() if place.is_symlink() else place.read_bytes()
        for place in root.rglob("*")
        if place.is_symlink() or place.is_file()
    }


SYSTEMD_OVERLAY = [
    "etc/chrony.conf", "etc/chrony/chrony.conf", "etc/resolv.conf",
    "etc/systemd/system/basic.target.wants/kata-containers.target",
    "etc/systemd/system/chrony.service.d/10-kata.conf", "etc/systemd/system/chronyd.service.d/10-kata.conf",
    "etc/systemd/system/kata-containers.target.wants/chrony.service",
    "etc/systemd/system/kata-containers.target.wants/dbus.socket", "etc/systemd/system/tmp.mount",
    "init", "usr/bin/kata-agent",
    "usr/lib/systemd/system/kata-agent.service", "usr/lib/systemd/system/kata-containers.target",
    "var/lib/osbuilder/manifest.json", "var/lib/osbuilder/osbuilder.yaml",
]  # fmt: skip
AGENT_OVERLAY = [
    "etc/chrony.conf", "etc/chrony/chrony.conf", "etc/resolv.conf", "init", "sbin", "usr/bin/kata-agent",
    "usr/sbin/init", "var/lib/osbuilder/manifest.json", "var/lib/osbuilder/osbuilder.yaml",
]  # fmt: skip


@pytest.mark.parametrize(
    ("agent_init", "files"), [(False, SYSTEMD_OVERLAY), (True, AGENT_OVERLAY)], ids=["systemd", "agent-init"]
)
def test_a_new_overlay_holds_only_katas_files(tmp_path: Path, agent_init: bool, files: list[str]) -> None:
    (tmp_path / "new").mkdir()
    for _ in range(2):
        make_guest(tmp_path / "new", request(tmp_path / "new", agent_init=agent_init), None)
        assert sorted(_contents(tmp_path / "new")) == files
        assert caught(judged(tmp_path / "new")) == {}


@BOTH_MODES
@pytest.mark.parametrize("way", ["cp", "tar"])
def test_an_overlay_laid_over_a_merged_base_makes_a_guest_and_keeps_its_links(
    tmp_path: Path, agent_init: bool, way: str
) -> None:
    base, new = fresh_tree(tmp_path / "base", MERGED), tmp_path / "new"
    new.mkdir()
    make_guest(new, request(new, agent_init=agent_init), None)
    before = {name: (base / name).readlink() for name in ("bin", "sbin", "lib")}
    command = "cp -a --remove-destination {0}/. {1}/" if way == "cp" else "tar -C {0} -c . | tar -C {1} -x"
    subprocess.run(command.format(new, base), shell=True, check=True)
    assert {name: (base / name).readlink() for name in before} == before
    tree = open_rootfs(base)
    assert tree.read_bytes("/bin/kata-agent") == CONTENT
    assert (tree.read_bytes("/sbin/init") == CONTENT) is agent_init
    assert tree.resolve("/init").final == tree.resolve("/sbin/init").final
    if not agent_init:
        assert requirement_closure(tree, "kata-containers.target").problems == ()
        assert (
            "chrony.service"
            in requirement_closure(tree, "kata-containers.target").units["kata-containers.target"].wants
        )
    clock = read_chrony(tree)
    assert clock is not None
    assert (clock.network_sources, len(clock.values("refclock"))) == ((), 1)


def test_an_agent_init_overlay_stops_at_a_split_base_instead_of_making_half_a_guest(tmp_path: Path) -> None:
    base, new = fresh_tree(tmp_path / "base", SPLIT), tmp_path / "new"
    new.mkdir()
    make_guest(new, request(new, agent_init=True), None)
    done = subprocess.run(["cp", "-a", f"{new}/.", f"{base}/"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "sbin" in done.stderr
    make_guest(base, request(base, agent_init=True), None)
    assert open_rootfs(base).read_bytes("/sbin/init") == CONTENT


# What the made trees lack, and a distribution's packages bring.
OF_PACKAGES = ("AGT-03", "NET-03", "PKG-", "STO-", "DBG-", "TIM-04", "LAY-07", "SIZ-")


@BOTH_MODES
def test_the_suite_finds_nothing_wrong_with_what_the_guest_layer_made(root: Path, agent_init: bool) -> None:
    assert caught(judged(root))
    make_guest(root, request(root, agent_init=agent_init, source_date_epoch=EPOCH))
    found = caught(judged(root, features=("initrd",)))
    assert {name: lines for name, lines in found.items() if not name.startswith(OF_PACKAGES)} == {}


PLACES = (
    "etc/chrony", "etc/chrony/chrony.conf", "etc/chrony/sources.d", "etc/resolv.conf", "etc/hosts", "etc/machine-id",
    "etc/systemd", "etc/systemd/system", "etc/kata-opa",
    "usr/lib/systemd/system/kata-agent.service", "usr/bin/kata-agent",
    "sbin/init", "init", "var/lib/osbuilder", "var/cache", "var/log", "var/run", "var/tmp", "tmp", "usr/share/doc",
    "var/lib/dpkg", "lib/modules", "etc/fstab", "bin/kata-agent", "etc/ssh", "run", "dev",
)  # fmt: skip


@BOTH_MODES
@pytest.mark.parametrize("as_directory", [True, False], ids=["to a directory", "to a file"])
def test_links_that_lead_out_of_the_tree_change_nothing_outside(
    tmp_path: Path, agent_init: bool, as_directory: bool
) -> None:
    """One hostile link after the other at a place that the guest layer writes to, empties or removes."""
    policy = write(tmp_path, "allow.rego", "package agent_policy\n")
    outside = write(tmp_path, "host/place/file", "the host's own").parent
    target = outside if as_directory else outside / "file"
    for number, place in enumerate(PLACES):
        root = fresh_tree(tmp_path / f"tree{number}", SPLIT)
        _replace(root / place, target)
        before = fingerprint(tmp_path / "host")
        with contextlib.suppress(RootfsKitError):
            make_guest(root, request(root, agent_init=agent_init, agent_policy=policy, delete_units=True,
                                     confidential=not agent_init, source_date_epoch=EPOCH))  # fmt: skip
        assert fingerprint(tmp_path / "host") == before, place
        shutil.rmtree(root)


def _replace(place: Path, target: Path) -> None:
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.is_dir():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def test_ten_thousand_files_are_furnished_well_within_a_second(tmp_path: Path) -> None:
    """Three times as long as it takes on one core of 2023."""
    root = fresh_tree(tmp_path / "tree", MERGED)
    for number in range(10_000):
        write(root, f"usr/lib/{number // 100}/{number}", "x")
    begun = perf_counter()
    make_guest(root, request(root, delete_units=True))
    assert perf_counter() - begun < 1.0
