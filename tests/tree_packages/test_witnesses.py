"""Who is asked what a rootfs holds, in which order, and what can be said when the lists are gone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.packages import Presence
from tests.support.requirements import needs_root
from tests.support.trees import OSBUILDER_YAML, link, program, systemd_guest, write

STATUS = "Package: chrony\nStatus: install ok installed\nVersion: 4.5-1\n\n"
MANIFEST = "var/lib/osbuilder/manifest.json"
SUMMARY = "var/lib/osbuilder/osbuilder.yaml"


def manifest(*installed, method="dpkg"):
    packages = {"method": method, "requested": ["chrony"], "extra": [], "installed": list(installed)}
    return json.dumps({"format": 1, "generator": "rootfs-kit 0.1.0", "packages": packages})


CHRONY = {"name": "chrony", "version": "4.5-1", "architecture": "amd64", "source": "chrony"}


def summary(*requested, extra=()):
    lines = "".join(f'      - "{name}"\n' for name in requested)
    text = OSBUILDER_YAML.format(machine="x86_64", agent_init="no").replace('      - "chrony"\n', lines)
    return text.replace("    extra:\n", "    extra:\n" + "".join(f'      - "{name}"\n' for name in extra))


@pytest.fixture
def rootfs(tmp_path):
    """A tree with a witness of every kind, each naming another version of chrony or none."""
    write(tmp_path, "var/lib/dpkg/status", STATUS)
    write(tmp_path, "var/lib/dpkg/status.d/chrony", "Package: chrony\nVersion: 4.4-1\n")
    write(tmp_path, "lib/apk/db/installed", "P:chrony\nV:4.3-r0\n\n")
    write(tmp_path, "var/lib/pacman/local/chrony-4.2-1/desc", "%NAME%\nchrony\n\n%VERSION%\n4.2-1\n")
    write(tmp_path, MANIFEST, manifest({**CHRONY, "version": "4.1-1"}))
    write(tmp_path, SUMMARY, summary("chrony"))
    program(tmp_path, "usr/sbin/chronyd", Path(sys.executable))
    return tmp_path


def test_the_first_witness_that_knows_of_packages_answers_for_all(rootfs):
    answered = []
    for lost in ("var/lib/dpkg/status", "var/lib/dpkg", "lib/apk", "var/lib/pacman", MANIFEST, SUMMARY, "usr"):
        packages = open_rootfs(rootfs).packages
        version = packages["chrony"].version
        answered.append((packages.method, version))
        shutil.rmtree(rootfs / lost) if (rootfs / lost).is_dir() else (rootfs / lost).unlink()
    assert answered == [
        ("dpkg", "4.5-1"),
        ("dpkg-status.d", "4.4-1"),
        ("apk", "4.3-r0"),
        ("pacman", "4.2-1"),
        ("manifest", "4.1-1"),
        ("osbuilder.yaml", ""),
        ("files", ""),
    ]
    assert open_rootfs(rootfs).packages.method == "unknown"


def test_a_database_without_packages_is_passed_over(rootfs):
    for path in ("var/lib/dpkg/status", "lib/apk/db/installed"):
        (rootfs / path).write_text("")
    shutil.rmtree(rootfs / "var/lib/dpkg/status.d")
    assert open_rootfs(rootfs).packages.method == "pacman"


def test_a_damaged_database_is_not_passed_over(rootfs):
    (rootfs / "var/lib/dpkg/status").write_text(STATUS + "Package: e2fs")
    with pytest.raises(CouldNotLook, match="var/lib/dpkg/status"):
        _ = open_rootfs(rootfs).packages


@needs_root()
def test_a_database_that_may_not_be_read_is_not_passed_over():
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        write(Path(place), "var/lib/dpkg/status", STATUS)
        write(Path(place), MANIFEST, manifest(CHRONY))
        (Path(place) / "var/lib/dpkg").chmod(0o700)
        with as_nobody(), pytest.raises(CouldNotLook, match="Permission denied"):
            _ = open_rootfs(place).packages


@contextmanager
def as_nobody():
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_wiped_kata_rootfs_has_lost_its_list_and_not_its_packages(tmp_path):
    """rootfs.sh:693-695 removes /var/lib and writes osbuilder.yaml afterwards."""
    guest = systemd_guest(tmp_path / "guest")
    shutil.rmtree(guest / "var/lib")
    write(guest, SUMMARY, summary("chrony", "iptables", "obscure", extra=["strace"]))
    packages = open_rootfs(guest).packages
    assert packages.method == "osbuilder.yaml"
    assert packages.source_path == f"/{SUMMARY}"
    assert packages["chrony"].status == packages["obscure"].status == "requested"
    answers = {name: packages.answer(name) for name in ("chrony", "e2fsprogs", "obscure", "strace", "tzdata")}
    assert answers == {
        "chrony": Presence.INSTALLED,
        "e2fsprogs": Presence.INSTALLED,
        "obscure": Presence.INSTALLED,
        "strace": Presence.ABSENT,
        "tzdata": Presence.UNKNOWN,
    }
    assert packages.satisfies("chrony", ">= 4") is None


def test_files_answer_only_for_the_packages_that_they_stand_for(tmp_path):
    guest = systemd_guest(tmp_path / "guest")
    shutil.rmtree(guest / "var/lib")
    (guest / "usr/sbin/modprobe").rename(guest / "usr/bin/kmod")
    write(guest, "usr/lib/x86_64-linux-gnu/libseccomp.so.2")
    packages = open_rootfs(guest).packages
    assert (packages.method, packages.source_path, packages.rules) == ("files", None, None)
    for name in ("chrony", "kmod", "libseccomp2", "libseccomp", "cryptsetup-bin", "e2fsprogs", "systemd"):
        assert packages.answer(name) is Presence.INSTALLED, name
        assert packages[name].version == ""
    assert packages.answer("strace") is Presence.ABSENT
    assert packages.answer("tzdata") is Presence.UNKNOWN


def test_an_applet_of_busybox_is_not_the_package_of_that_name(tmp_path):
    program(tmp_path, "bin/busybox", Path(sys.executable))
    link(tmp_path, "sbin/mkfs.ext4", "/bin/busybox")
    program(tmp_path, "usr/bin/bash", Path(sys.executable))
    packages = open_rootfs(tmp_path).packages
    assert packages.answer("bash") is Presence.INSTALLED
    assert packages.answer("e2fsprogs") is Presence.ABSENT


def test_a_link_to_nothing_is_no_evidence(tmp_path):
    program(tmp_path, "usr/bin/bash", Path(sys.executable))
    link(tmp_path, "usr/sbin/chronyd", "/opt/chronyd")
    assert open_rootfs(tmp_path).packages.answer("chrony") is Presence.ABSENT


@needs_root()
def test_what_could_not_be_looked_at_is_neither_there_nor_missing():
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        program(Path(place), "usr/bin/bash", Path(sys.executable))
        (Path(place) / "usr/sbin").mkdir(mode=0o700)
        with as_nobody():
            packages = open_rootfs(place).packages
        assert packages.answer("bash") is Presence.INSTALLED
        assert packages.answer("chrony") is Presence.UNKNOWN


def test_of_an_empty_tree_nothing_is_known(tmp_path):
    packages = open_rootfs(tmp_path).packages
    assert (packages.method, packages.source_path, len(packages)) == ("unknown", None, 0)
    assert packages.answer("chrony") is Presence.UNKNOWN


@pytest.mark.parametrize(
    ("method", "rules"),
    [("dpkg", "dpkg"), ("dpkg-status.d", "dpkg"), ("rpm-ndb", "rpm"), ("apk", "apk"), ("files", None)],
)
def test_versions_in_a_manifest_compare_as_those_of_the_database_that_was_dropped(tmp_path, method, rules):
    write(tmp_path, MANIFEST, manifest(CHRONY, method=method))
    packages = open_rootfs(tmp_path).packages
    assert packages.rules == rules
    assert packages.answer("e2fsprogs") is Presence.ABSENT, "a manifest lists all that is installed"


@pytest.mark.parametrize("content", ["{}", manifest(), '{"packages": null}'])
def test_a_manifest_without_packages_leaves_the_answer_to_others(tmp_path, content):
    write(tmp_path, MANIFEST, content)
    write(tmp_path, SUMMARY, summary("tzdata"))
    assert open_rootfs(tmp_path).packages["tzdata"].status == "requested"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"packages": ', "it is no JSON document"),
        ("[" * 100_000, "it is no JSON document"),
        ("[]", "the document is no table"),
        ('{"packages": []}', "unknown"),
        ('{"packages": ["chrony"]}', "packages is no table"),
        ('{"packages": {"installed": {"chrony": "4.5"}}}', "packages.installed is no list"),
        ('{"packages": {"installed": ["chrony"]}}', r"packages.installed\[0\] is no table"),
        (manifest(CHRONY, {"name": "bash", "version": 5}), r"packages.installed\[1\] does not say"),
    ],
)
def test_a_manifest_that_is_none_is_damage(tmp_path, content, words):
    write(tmp_path, MANIFEST, content)
    if words == "unknown":
        assert open_rootfs(tmp_path).packages.method == words
        return
    with pytest.raises(CouldNotLook, match=words):
        _ = open_rootfs(tmp_path).packages


@pytest.mark.parametrize("content", ["---\nosbuilder: [", "a: &a [*a]\nb: *c\n", "[" * 20_000, "\x00"])
def test_an_osbuilder_yaml_that_is_none_is_damage(tmp_path, content):
    write(tmp_path, SUMMARY, content)
    with pytest.raises(CouldNotLook, match=r"osbuilder\.yaml: it is no YAML"):
        _ = open_rootfs(tmp_path).packages


@pytest.mark.parametrize(
    "content", ["", "- a\n- b\n", "base-distro: none\n", "base-distro:\n  packages:\n    default: {a: b}\n"]
)
def test_an_osbuilder_yaml_without_packages_is_passed_over(tmp_path, content):
    write(tmp_path, SUMMARY, content)
    assert open_rootfs(tmp_path).packages.method == "unknown"


def test_names_of_packages_stay_text_whatever_yaml_makes_of_them(tmp_path):
    write(tmp_path, SUMMARY, summary().replace("default:\n", "default:\n      - no\n      - 1.0\n      - 0x10\n"))
    assert {"no", "1.0", "0x10"} <= set(open_rootfs(tmp_path).packages)


def test_an_osbuilder_yaml_that_grows_without_end_is_read_at_once(tmp_path):
    doubling = "".join(f"k{n}: &k{n}\n  <<: [*k{n - 1}, *k{n - 1}]\n" for n in range(1, 60))
    write(tmp_path, SUMMARY, "k0: &k0 {a: b}\n" + doubling + summary("tzdata").removeprefix("---\n"))
    assert "tzdata" in open_rootfs(tmp_path).packages


def test_yaml_and_sqlite_are_loaded_only_where_they_are_needed(tmp_path):
    write(tmp_path, "var/lib/dpkg/status", STATUS)
    code = (
        "import sys; from rootfs_kit.tree import open_rootfs; "
        f"assert open_rootfs({str(tmp_path)!r}).packages.method == 'dpkg'; "
        "assert not {'yaml', 'sqlite3'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
