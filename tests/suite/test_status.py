"""What a run ends with, in plain pytest and in `rootfs-kit check`: the table of docs/checking.md, case by case."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.suite.conftest import Ended, Pytest, environment
from tests.support import trees
from tests.support.requirements import needs_program

pytestmark = needs_program("cc", "depmod")

Check = Callable[..., Ended]


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    return trees.systemd_guest(tmp_path / "guest")


@pytest.fixture
def check(site: Path, here: Path) -> Check:
    def start(*arguments: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "rootfs_kit", "check", *arguments],
            cwd=here, env=environment(site), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout)

    return start


def nothing(guest: Path) -> None:
    """The guest stays good."""


def no_agent(guest: Path) -> None:
    (guest / "usr/bin/kata-agent").unlink()


def corrupt_database(guest: Path) -> None:
    (guest / "var/lib/dpkg/status").write_text("Package: chrony\nStatus")


def unreadable_file(guest: Path) -> None:
    """Whoever runs the tests may read every directory; nobody opens a FIFO."""
    (guest / "etc/hosts").unlink(missing_ok=True)
    os.mkfifo(guest / "etc/hosts")


def fault_and_corruption(guest: Path) -> None:
    no_agent(guest)
    corrupt_database(guest)


COULD_NOT_LOOK = (corrupt_database, unreadable_file, fault_and_corruption)


@pytest.mark.parametrize(
    ("make", "of_pytest", "of_check", "sentence"),
    [
        (nothing, 0, 0, "It conforms."),
        (no_agent, 1, 1, "It does not conform."),
        (corrupt_database, 1, 2, "It could not be judged."),
        (unreadable_file, 1, 2, "It could not be judged."),
        (fault_and_corruption, 1, 1, "It does not conform."),
    ],
)
def test_status_of_a_verdict(
    run: Pytest, check: Check, guest: Path, make: Callable[[Path], None], of_pytest: int, of_check: int, sentence: str
) -> None:
    make(guest)
    in_pytest, in_check = run(f"--rootfs={guest}"), check(str(guest))
    assert in_pytest.status == of_pytest, in_pytest.text
    assert in_check.status == of_check, in_check.text
    assert in_check.lines_with(sentence)
    for ended in (in_pytest, in_check):
        assert ("could not look" in ended.text.lower()) == (make in COULD_NOT_LOOK)
        assert "Traceback" not in ended.text


def a_text(here: Path) -> str:
    (here / "notes.txt").write_text("Nothing that holds a rootfs.\n")
    return "notes.txt"


def a_cut_archive(here: Path) -> str:
    subprocess.run(["tar", "-czf", "whole.tar.gz", "--format=gnu", "/usr/bin/env"], cwd=here, stderr=-3, check=True)
    (here / "cut.tar.gz").write_bytes((here / "whole.tar.gz").read_bytes()[:3000])
    return "cut.tar.gz"


def an_empty_directory(here: Path) -> str:
    (here / "empty").mkdir()
    return "empty"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda here: "nowhere", "nowhere"),
        (a_text, "notes.txt"),
        (a_cut_archive, "cut.tar.gz"),
        (an_empty_directory, "the rootfs is empty"),
        (lambda here: "/", "--rootfs-allow-host"),
        (lambda here: "/dev/null", "/dev/null"),
    ],
    ids=["no such path", "no archive", "damaged archive", "empty directory", "this machine", "device"],
)
def test_what_is_no_rootfs_is_refused(
    run: Pytest, check: Check, here: Path, make: Callable[[Path], str], words: str
) -> None:
    name = make(here)
    for ended, status in ((run(f"--rootfs={name}"), 4), (check(name), 2)):
        assert ended.status == status, ended.text
        assert words in ended.text and "Traceback" not in ended.text
        assert len(ended.text.strip().splitlines()) <= 4, "one message, and what to do next"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[files."/etc/hosts"]\nmod = "0644"\n', ['line 2: unknown key "mod"', 'Did you mean "mode"?']),
        ('distro = "debian"\n\npakages = 1\n', ['line 3: unknown key "pakages"', 'Did you mean "packages"?']),
        ('profile = "systemd,agent-init"\n', ["line 1", "systemd and agent-init contradict each other"]),
        ('profile = "initrd,image"\n', ["initrd and image contradict each other"]),
        ('profile = "auto,overlay"\n', ["auto and overlay contradict each other"]),
        ("modules = []\n", ["line 1", "empty list"]),
        ('[[waivers]]\ncheck = "NET-02"\nreason = "x"\n', ["has no end"]),
        ('[files."/a"]\npattern = "(a"\n', ["line 2", "no regular expression"]),
        ("distro = \n", ["line 1, column"]),
        ('[packages]\nchrony = "newer"\nkmod = "=> 2"\n', ["line 3"]),
    ],
)
def test_expectations_that_say_nothing_sound_are_refused(
    run: Pytest, check: Check, guest: Path, here: Path, text: str, words: list[str]
) -> None:
    (here / "expect.toml").write_text(text)
    for ended, status in (
        (run(f"--rootfs={guest}", "--rootfs-expect=expect.toml"), 4),
        (check(str(guest), "--expect", "expect.toml"), 2),
    ):
        assert ended.status == status, ended.text
        assert all(word in ended.text for word in words), ended.text
        assert "Traceback" not in ended.text


@pytest.mark.parametrize("words", ["systemd,agent-init", "initrd,image", "auto,systemd"])
def test_profile_that_contradicts_itself_is_refused(run: Pytest, check: Check, guest: Path, words: str) -> None:
    for ended, status in (
        (run(f"--rootfs={guest}", f"--rootfs-profile={words}"), 4),
        (check(str(guest), "--profile", words), 2),
    ):
        assert ended.status == status, ended.text
        assert "contradict each other" in ended.text
