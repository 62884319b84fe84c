"""What is known of Debian, and what that makes of a request."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from rootfs_kit.distro import Distro
from rootfs_kit.distro.search import find_distro
from rootfs_kit.errors import UsageError
from rootfs_kit.request import BuildRequest
from tests.distro.test_discovery import make


@pytest.fixture(scope="module")
def debian() -> Distro:
    return find_distro("debian")


@pytest.fixture
def request_(tmp_path: Path) -> BuildRequest:
    return BuildRequest(tmp_path / "out", distro="debian", arch="x86_64")


def test_systemd_mode_installs_an_init_system_and_agent_init_none(debian: Distro, request_: BuildRequest):
    with_systemd = set(debian.packages_for(request_))
    without = set(debian.packages_for(replace(request_, agent_init=True)))
    assert with_systemd - without == {"dbus", "init", "systemd"}
    assert without == {"chrony", "cryptsetup-bin", "e2fsprogs", "iptables", "kmod", "libseccomp2"}


def test_features_and_extra_packages_add_to_it_each_once(debian: Distro, request_: BuildRequest):
    plain = debian.packages_for(replace(request_, seccomp=False))
    asked = replace(request_, confidential=True, selinux=True, extra_packages=("strace", "kmod"))
    full = debian.packages_for(asked)
    for_features = {"libseccomp2", "ca-certificates", "policycoreutils", "selinux-policy-default"}
    assert set(full) - set(plain) == for_features | {"strace"}
    assert len(full) == len(set(full))
    assert full[-1] == "strace"


def test_every_package_has_its_reason(debian: Distro, request_: BuildRequest):
    reasons = debian.package_reasons(replace(request_, extra_packages=("strace",)))
    assert reasons["kmod"] == "every guest"
    assert reasons["systemd"] == "init: systemd"
    assert reasons["libseccomp2"] == "seccomp"
    assert reasons["strace"] == "extra"


@pytest.mark.parametrize(("word", "name"), [(None, "trixie"), ("13", "trixie"), ("oldstable", "bookworm")])
def test_a_release_is_found_by_all_it_is_called(debian: Distro, word: str | None, name: str):
    assert debian.release(word).name == name


def test_an_unknown_release_gets_the_nearest_and_the_list(debian: Distro):
    with pytest.raises(UsageError) as caught:
        debian.release("trixy")
    assert 'Did you mean "trixie"?' in caught.value.hint
    assert "bookworm (12)" in caught.value.hint


def test_riscv64_came_with_trixie(debian: Distro):
    assert debian.machine("riscv64", debian.release("trixie")) == "riscv64"
    with pytest.raises(UsageError, match=r"choosing the architecture of Debian bookworm \(12\)"):
        debian.machine("riscv64", debian.release("bookworm"))
    assert debian.excluded_machines(debian.release("bookworm")) == ("riscv64",)
    assert debian.excluded_machines(debian.release("trixie")) == ()


def test_architectures_go_by_debians_names_too(debian: Distro):
    assert debian.machine("amd64") == "x86_64"
    with pytest.raises(UsageError, match='it is not made for "sparc"'):
        debian.machine("sparc")


def test_a_release_has_ended_the_day_after_its_last(debian: Distro):
    bookworm = debian.release("bookworm")
    assert bookworm.end_of_life is not None
    assert not bookworm.has_ended(bookworm.end_of_life)
    assert bookworm.has_ended(date(2099, 1, 1))
    assert not debian.release("sid").has_ended(date(2099, 1, 1))


def test_no_server_is_named_in_the_description(debian: Distro):
    assert debian.mirrors == ()
    text = (debian.directory / "distro.toml").read_text()
    assert "://" not in text


def test_nothing_that_systemd_or_a_console_reads_is_trimmed(debian: Distro):
    for kept in ("systemd", "dbus-1", "terminfo", "zoneinfo", "tabset", "perl5", "pam", "polkit-1"):
        assert f"/usr/share/{kept}" not in debian.trim


@pytest.mark.parametrize(
    ("init", "agent_init", "hint"), [("agent", False, "Give --agent-init"), ("systemd", True, "Leave out --agent-init")]
)
def test_an_init_mode_that_a_distribution_lacks_is_refused(tmp_path: Path, init: str, agent_init: bool, hint: str):
    make(tmp_path / "mini", "Mini", init)
    request = BuildRequest(tmp_path / "out", agent_init=agent_init)
    with pytest.raises(UsageError) as caught:
        find_distro("mini", [tmp_path]).require_support(request)
    assert caught.value.doing == "planning a build of Mini"
    assert hint in caught.value.hint
