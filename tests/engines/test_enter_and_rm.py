"""`rootfs-kit enter` and `rootfs-kit rm`, on trees of root's and on trees that belong to subordinate ids."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.build.builds import processes_that_name
from tests.engines.guests import Guests
from tests.support.ordinary_user import Ended

pytestmark = [pytest.mark.slow, pytest.mark.network]
BUILDERS = ("user", "root")


@pytest.fixture(scope="module", params=BUILDERS)
def rootfs(guests: Guests, request: pytest.FixtureRequest) -> Path:
    """A guest, built by whoever enters it."""
    target = guests.user.home / f"entered-by-{request.param}"
    done = guests.by_user(target) if request.param == "user" else guests.by_root(target)
    assert done.status == 0, done.err
    (target / "usr/bin/bash").unlink()  # a stand-in that runs for ever
    return target


def enter(guests: Guests, rootfs: Path, *command: str) -> Ended:
    run = guests.user.run if rootfs.name.endswith("user") else guests.user.run_as_root
    return run("enter", str(rootfs), *command)


def test_the_command_runs_as_root_of_the_rootfs(guests: Guests, rootfs: Path) -> None:
    done = enter(guests, rootfs, "sh", "-c", "cat /etc/os-release; echo $HOME $$; ls -n /opt/somebodys")
    assert (done.status, done.err) == (0, "")
    text = done.out.decode()
    assert "VERSION_CODENAME=trixie" in text
    assert "/root 2\n" in text  # process 1 is ours
    assert " 1234 5678 " in text


def test_options_of_the_command_are_its_own(guests: Guests, rootfs: Path) -> None:
    assert enter(guests, rootfs, "ls", "-d", "--", "/proc").out == b"/proc\n"
    assert enter(guests, rootfs, "--", "ls", "-d", "--", "/proc").out == b"/proc\n"


def test_without_a_command_there_is_a_shell(guests: Guests, rootfs: Path) -> None:
    done = enter(guests, rootfs)
    assert (done.status, done.out, done.err) == (0, b"", "")  # its standard input is empty


@pytest.mark.parametrize(
    ("command", "status"),
    [(("sh", "-c", "exit 7"), 7), (("sh", "-c", "kill -KILL $$"), 137), (("no-such-program",), 127), (("/etc",), 126)],
)
def test_the_exit_status_is_the_commands(guests: Guests, rootfs: Path, command: tuple[str, ...], status: int) -> None:
    done = enter(guests, rootfs, *command)
    assert done.status == status
    assert ("rootfs-kit: " in done.err) == (status in (126, 127))


def test_proc_sys_and_devices_are_there_and_gone_afterwards(guests: Guests, rootfs: Path) -> None:
    before = sorted(os.listdir(rootfs / "dev"))
    script = "cat /proc/self/comm; test -d /sys/kernel; echo lost >/dev/null; test -c /dev/zero; ls /dev/pts /dev/fd"
    done = enter(guests, rootfs, "sh", "-e", "-c", script)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(b"cat\n")
    assert os.listdir(rootfs / "proc") == os.listdir(rootfs / "sys") == []
    assert sorted(os.listdir(rootfs / "dev")) == before
    assert str(rootfs) not in Path("/proc/self/mounts").read_text()


def test_what_is_changed_stays_and_belongs_to_root_inside(guests: Guests, rootfs: Path) -> None:
    assert enter(guests, rootfs, "touch", "/opt/new").status == 0
    owner = (rootfs / "opt/new").stat().st_uid
    assert owner == (guests.user.uid if rootfs.name.endswith("user") else 0)


def test_what_the_command_leaves_running_ends_with_it(guests: Guests, rootfs: Path) -> None:
    marker = f"/opt/left-{os.getpid()}-{rootfs.name}"
    script = f"cp /usr/bin/kata-agent {marker}; {marker} & exit 0"  # the stand-in runs for ever
    assert enter(guests, rootfs, "sh", "-c", script).status == 0
    assert processes_that_name(marker) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_for_us_ends_the_command(guests: Guests, rootfs: Path, number: signal.Signals) -> None:
    marker = f"/opt/runs-{os.getpid()}-{number}-{rootfs.name}"
    command = [guests.user.program, "enter", str(rootfs), "sh", "-c", f"cp /usr/bin/kata-agent {marker}; {marker}"]
    if rootfs.name.endswith("user"):
        command = guests.user.as_user(*command)
    with guests.user.start(command) as process:
        _wait_for(marker)
        process.send_signal(number)
        assert process.wait(timeout=30) == (143 if number == signal.SIGTERM else -9)
    _wait_until_gone(marker)


def _wait_for(marker: str) -> None:
    """Until the program itself runs, and not only the shell whose command line names it."""
    for _ in range(300):
        if any(words.strip() == marker for words in processes_that_name(marker)):
            return
        time.sleep(0.1)
    pytest.fail(f"{marker} does not run")


def _wait_until_gone(marker: str) -> None:
    for _ in range(100):
        if not processes_that_name(marker):
            return
        time.sleep(0.1)
    pytest.fail(f"still there: {processes_that_name(marker)}")


def test_what_is_no_rootfs_is_not_entered(guests: Guests, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    shutil.copy("/bin/true", tmp_path / "bin/sh")
    (tmp_path / "dev").symlink_to("/dev")
    (tmp_path / "proc").mkdir()
    (tmp_path / "sys").mkdir()
    done = guests.user.run_as_root("enter", str(tmp_path))
    assert done.status == 2
    assert "it has no directory /dev" in done.err


def test_rm_removes_what_the_user_built(guests: Guests) -> None:
    target = guests.user.home / "to-remove"
    assert guests.by_user(target).status == 0
    plain = subprocess.run(guests.user.as_user("rm", "-rf", str(target)), capture_output=True, check=False)
    assert plain.returncode != 0  # what makes the command needed
    done = guests.user.run("rm", "--force", str(target))
    assert (done.status, done.out, done.err) == (0, b"", "")
    assert not target.exists()


def test_rm_removes_what_rootfs_kit_made_without_being_forced(guests: Guests) -> None:
    target = guests.user.home / "to-remove-too"
    assert guests.by_user(target).status == 0
    assert guests.user.run("rm", "to-remove-too").status == 0
    assert not target.exists()


def test_rm_refuses_what_it_did_not_make(guests: Guests) -> None:
    target = guests.user.home / "letters"
    subprocess.run(guests.user.as_user("mkdir", str(target)), check=True)
    subprocess.run(guests.user.as_user("touch", str(target / "dear-jane")), check=True)
    refused = guests.user.run("rm", str(target))
    assert refused.status == 2
    assert "files that rootfs-kit did not make" in refused.err
    assert "--force" in refused.err
    assert (target / "dear-jane").exists()
    assert guests.user.run("rm", "--force", str(target)).status == 0
    assert not target.exists()


@pytest.mark.parametrize("target", ["/", "/usr", ".", "..", "no-such-directory"])
def test_rm_refuses_what_can_only_be_a_mistake(guests: Guests, target: str) -> None:
    done = guests.user.run("rm", "--force", target)
    assert done.status == 2
    assert "removing " in done.err


def test_rm_refuses_a_link(guests: Guests, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    done = guests.user.run_as_root("rm", "--force", str(tmp_path / "link"))
    assert done.status == 2
    assert (tmp_path / "real").is_dir()


def test_rm_says_who_may_where_this_user_may_not(guests: Guests) -> None:
    target = guests.user.place / "roots-own"
    assert guests.by_root(target).status == 0
    done = guests.user.run("rm", str(target))
    assert done.status == 3
    assert "as the user who built it, or as root" in done.err
    assert target.is_dir()
