"""Links that lead out of the tree: nothing outside is read, judged or named, even while a component is swapped."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.suite.verdict import State
from rootfs_kit.tree import open_rootfs, openat
from tests.hostile.survey import deep_directory, remove_deep_directory, states, survey
from tests.support import trees
from tests.support.limits import within
from tests.support.requirements import needs_program

SECRET = "outside-of-the-tree"
AROUND = 40


@pytest.fixture(params=[True, False], ids=["openat2", "by component"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """How files are opened: by the kernel's own resolution, or as where the kernel lacks it."""
    if request.param and not openat._kernel_has_openat2():
        pytest.skip("needs a kernel with openat2 (5.6)")
    monkeypatch.setattr(openat, "_kernel_has_openat2", lambda: request.param)
    kind: bool = request.param
    return kind


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    place = tmp_path / "outside"
    trees.write(place, "etc/hosts", f"192.0.2.1 {SECRET}\n")
    trees.write(place, "hosts", f"192.0.2.1 {SECRET}\n")
    return place


def root_in(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    trees.write(root, "etc/os-release", "ID=made\n")
    trees.write(root, "etc/hosts", "127.0.0.1 localhost\n")
    return root


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("climb", ["{outside}/hosts", "../../outside/hosts", "../" * AROUND + "{outside}/hosts"])
def test_link_to_a_file_outside_is_a_link_to_nothing(tmp_path: Path, outside: Path, climb: str) -> None:
    root = root_in(tmp_path)
    (root / "etc/hosts").unlink()
    (root / "etc/hosts").symlink_to(climb.format(outside=outside))
    tree = open_rootfs(root)
    assert not tree.exists("/etc/hosts")
    with pytest.raises(CouldNotLook):
        tree.read_bytes("/etc/hosts")
    assert SECRET not in repr([result.findings for result in survey(root).results])


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("climb", ["{outside}", "../outside", "../" * AROUND + "{outside}"])
def test_link_to_a_directory_outside_holds_nothing(tmp_path: Path, outside: Path, climb: str) -> None:
    root = root_in(tmp_path)
    (root / "srv").symlink_to(climb.format(outside=outside))
    tree = open_rootfs(root)
    assert tree.listdir("/srv") == [] and not tree.exists("/srv/hosts")
    assert [entry.path for entry in tree.walk("/srv")] == []
    assert all(SECRET not in entry.path for entry in tree.walk())


@pytest.mark.parametrize("name", ["self", "proc"])
def test_link_into_the_hosts_proc_shows_nothing_of_this_process(tmp_path: Path, name: str) -> None:
    root = root_in(tmp_path)
    (root / "etc/hosts").unlink()
    (root / "etc/hosts").symlink_to({"self": "/proc/self/environ", "proc": f"/proc/{os.getpid()}/root/etc/hosts"}[name])
    assert not open_rootfs(root).exists("/etc/hosts")
    assert survey(root).results


@needs_program("cc", "depmod")
def test_agent_outside_of_the_tree_is_no_agent(tmp_path: Path) -> None:
    """The host has one at the very path that the link names."""
    guest = trees.systemd_guest(tmp_path / "guest")
    agent = tmp_path / "kata-agent"
    (guest / "usr/bin/kata-agent").rename(agent)
    (guest / "usr/bin/kata-agent").symlink_to(agent)
    assert "AGT-01" in states(survey(guest), State.FAILED)


@pytest.mark.parametrize("target", ["loop", "../etc/loop", "/etc/loop", "."])
def test_links_that_go_round_are_told_and_left(tmp_path: Path, target: str) -> None:
    root = root_in(tmp_path)
    (root / "etc/loop").symlink_to(target)
    (root / "etc/resolv.conf").symlink_to("loop/loop/loop/nothing")
    with within(30):
        resolution = open_rootfs(root).resolve("/etc/resolv.conf")
    assert resolution.problem == ("missing" if target == "." else "loop")
    assert survey(root).results


@contextmanager
def swapping(swap: Callable[[], None]) -> Iterator[None]:
    """`swap` is called again and again in another thread meanwhile."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            swap()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.usefixtures("way")
def test_component_that_is_swapped_for_a_link_never_leads_outside(tmp_path: Path, outside: Path) -> None:
    """A directory and a link to the directory of that name outside change places while files are read through it."""
    root = root_in(tmp_path)
    aside, link = root / "aside", root / "link"
    link.symlink_to(outside / "etc")
    tree = open_rootfs(root)
    assert tree.exists("/etc/hosts")

    def swap() -> None:
        os.rename(root / "etc", aside)
        os.rename(link, root / "etc")
        os.rename(root / "etc", link)
        os.rename(aside, root / "etc")

    read, refused = 0, 0
    with swapping(swap), within(60):
        while read < 200 or refused < 5:
            try:
                assert SECRET.encode() not in tree.read_bytes("/etc/hosts")
                read += 1
            except CouldNotLook:
                refused += 1
            if read + refused > 20_000:
                break
    assert read, "the directory was there at times"


def test_scan_enters_no_directory_that_was_swapped_for_a_link(tmp_path: Path, outside: Path) -> None:
    root = root_in(tmp_path)
    for number in range(50):
        trees.write(root, f"many/{number}/deeper/name")
    (outside / "many").mkdir()
    trees.write(outside, f"deeper/{SECRET}")
    many, link = root / "many/25", root / "link"
    link.symlink_to(outside)

    def swap() -> None:
        os.rename(many, root / "aside")
        os.rename(link, many)
        os.rename(many, link)
        os.rename(root / "aside", many)

    with swapping(swap), within(60):
        for _ in range(200):
            assert all(SECRET not in entry.path for entry in open_rootfs(root).walk())


@pytest.mark.parametrize("name", ["d", "n" * 255], ids=["short names", "longest names"])
def test_four_thousand_directories_deep(tmp_path: Path, name: str) -> None:
    root = root_in(tmp_path)
    innermost = deep_directory(root, name, 4000)
    os.close(os.open("found", os.O_CREAT | os.O_WRONLY, dir_fd=innermost))
    os.close(innermost)
    try:
        with within(60):
            tree = open_rootfs(root)
            places = [entry.path for entry in tree.walk() if entry.path.endswith("/found")]
        if len(name) == 1:
            assert places == ["/d" * 4000 + "/found"]
            assert tree.read_bytes(places[0]) == b""
        else:
            assert "paths of this length" in tree.unreadable[0].reason
        verdict = survey(root)
        assert ("LAY-01" in states(verdict, State.UNKNOWN)) == (len(name) > 1)
    finally:
        remove_deep_directory(root)


def test_directory_that_is_moved_while_its_depths_are_listed(tmp_path: Path) -> None:
    """On the way up `..` is another directory than on the way down; what is listed stays what is in the tree."""
    root = root_in(tmp_path)
    os.close(deep_directory(root / "etc", "d", 300))
    deep = root / "etc" / "/".join(["d"] * 200)
    (tmp_path / "elsewhere").mkdir()
    trees.write(tmp_path, f"elsewhere/{SECRET}")

    def swap() -> None:
        os.rename(deep, tmp_path / "elsewhere/d")
        os.rename(tmp_path / "elsewhere/d", deep)

    with swapping(swap), within(60):
        for _ in range(50):
            assert all(SECRET not in entry.path for entry in open_rootfs(root).walk())
