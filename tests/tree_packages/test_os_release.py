"""os-release is read as a shell reads it (os-release(5)), without running anything."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.os_release import parse_os_release
from tests.support.trees import link, write
from tests.tree_packages.real_tools import unpack_alpine

LINES = [
    "ID=debian",
    'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"',
    "VERSION_ID='13'",
    r'QUOTED="a \"quote\", a \\ and a \$ and a \`"',
    r'KEPT="a \n stays"',
    "MIXED=one'two'\"three\"",
    "EMPTY=",
    "URL=https://mirror.example/?a=b",
]


def test_values_are_those_that_a_shell_would_assign(tmp_path):
    file = write(tmp_path, "os-release", "\n".join(LINES) + "\n")
    names = [line.partition("=")[0] for line in LINES]
    script = f". {file}; " + "; ".join(f'printf "%s\\0" "${name}"' for name in names)
    values = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout.split("\0")[:-1]
    assert parse_os_release(file.read_bytes()) == dict(zip(names, values, strict=True))


@pytest.mark.parametrize("line", ["# ID=debian", "no assignment", "1D=debian", 'ID="open', "ID='open", "", "=debian"])
def test_a_line_that_assigns_nothing_is_passed_over(line):
    assert parse_os_release(f"{line}\nVERSION_ID=13".encode()) == {"VERSION_ID": "13"}


def test_the_last_assignment_of_a_name_counts():
    assert parse_os_release(b"ID=a\nID=b\n") == {"ID": "b"}


def test_the_file_in_etc_comes_first(tmp_path):
    write(tmp_path, "usr/lib/os-release", "ID=vendor\n")
    assert open_rootfs(tmp_path).os_release["ID"] == "vendor"
    write(tmp_path, "etc/os-release", "ID=local\n")
    assert dict(open_rootfs(tmp_path).os_release) == {"ID": "local"}


def test_a_link_is_followed_inside_the_root(tmp_path):
    write(tmp_path, "usr/lib/os-release", "ID=guest\n")
    link(tmp_path, "etc/os-release", "/usr/lib/os-release")
    assert open_rootfs(tmp_path).os_release["ID"] == "guest"


def test_a_real_alpine_says_so(tmp_path):
    found = open_rootfs(unpack_alpine(tmp_path)).os_release
    assert (found["ID"], found["VERSION_ID"]) == ("alpine", "3.20.3")


def test_a_tree_without_the_file_has_no_variables(tmp_path):
    assert dict(open_rootfs(tmp_path).os_release) == {}


def test_what_is_no_file_is_not_taken_for_missing(tmp_path):
    (tmp_path / "etc/os-release").mkdir(parents=True)
    with pytest.raises(CouldNotLook):
        _ = open_rootfs(tmp_path).os_release


@given(st.binary(max_size=200))
def test_any_content_is_read_without_complaint(content):
    assert all(isinstance(value, str) for value in parse_os_release(content).values())


def test_a_hostile_value_costs_no_more_than_its_length():
    assert parse_os_release(b'A="' + b"\\" * 1_000_000 + b"\nB=1\n")["B"] == "1"
