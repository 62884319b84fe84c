"""Users and groups that packages declare are there in the guest, whoever installed the packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfs_kit.guest.users import make_declared_users
from rootfs_kit.tree import RootfsEditor
from tests.support.trees import write

PASSWD = "root:x:0:0:root:/root:/bin/sh\nold:x:999:998::/:/bin/sh\n"
GROUP = "root:x:0:\nold:x:998:\nkvm:x:36:root\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "etc/passwd", PASSWD)
    write(tmp_path, "etc/group", GROUP)
    write(tmp_path, "etc/shadow", "root:*:19000::::::\n", 0o600)
    write(tmp_path, "etc/gshadow", "root:*::", 0o600)
    return tmp_path


def made(root: Path, text: str, name: str = "usr/lib/sysusers.d/some.conf") -> tuple[str, str]:
    """What is added to /etc/passwd and /etc/group for the declarations in `text`."""
    write(root, name, text)
    for _ in range(2):
        with RootfsEditor(root) as editor:
            make_declared_users(editor)
    passwd, group = (root / "etc/passwd").read_text(), (root / "etc/group").read_text()
    assert passwd.startswith(PASSWD)
    return passwd.removeprefix(PASSWD), group.removeprefix(GROUP)


@pytest.mark.parametrize(
    ("line", "user", "group"),
    [
        ("u dbus 81 'Message Bus'", "dbus:x:81:81:Message Bus:/:/usr/sbin/nologin\n", "dbus:x:81:\n"),
        ('u chrony - "" /var/lib/chrony', "chrony:x:997:997::/var/lib/chrony:/usr/sbin/nologin\n", "chrony:x:997:\n"),
        ("u! tss 59:kvm - /dev/null /bin/false", "tss:x:59:36::/dev/null:/bin/false\n", ""),
        ("u one -:36", "one:x:997:36::/:/usr/sbin/nologin\n", ""),
        ("g tape 33", "", "tape:x:33:\n"),
        ("g input -", "", "input:x:997:\n"),
        ("u old 7", "", ""),
        ("g kvm 7", "", ""),
        ("# u no 1", "", ""),
        ("r - 500-900", "", ""),
        ("u %u 1\nu ../x 1\nu 'unclosed", "", ""),
    ],
)
def test_a_declaration_becomes_a_user_or_a_group(root: Path, line: str, user: str, group: str) -> None:
    assert made(root, f"{line}\n") == (user, group)


def test_a_number_that_is_taken_is_not_given_twice(root: Path) -> None:
    user, _ = made(root, "u one 999\nu two -\n")
    assert [line.split(":")[2] for line in user.splitlines()] == ["997", "996"]


def test_members_join_their_group(root: Path) -> None:
    made_user, _ = made(root, "u one 5\nm one kvm\nm nobody-of-that-name kvm\n")
    assert made_user.startswith("one:x:5:5:")
    assert "kvm:x:36:root,one\n" in (root / "etc/group").read_text()


def test_nobody_can_log_in_as_one_of_them(root: Path) -> None:
    made(root, "u one 5\n")
    assert (root / "etc/shadow").read_text() == "root:*:19000::::::\none:!*:::::::\n"
    assert (root / "etc/gshadow").read_text() == "root:*::\none:!*::\n"
    assert (root / "etc/shadow").stat().st_mode & 0o777 == 0o600


def test_the_administrators_file_takes_the_place_of_the_packages(root: Path) -> None:
    write(root, "usr/lib/sysusers.d/same.conf", "u theirs 5\n")
    user, _ = made(root, "u ours 6\n", "etc/sysusers.d/same.conf")
    assert user.startswith("ours:x:6:6:")
    assert "theirs" not in user


def test_a_tree_without_a_list_of_users_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/sysusers.d/some.conf", "u one 5\n")
    with RootfsEditor(tmp_path) as editor:
        make_declared_users(editor)
    assert not (tmp_path / "etc").exists()
