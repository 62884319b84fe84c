"""The two documents that go into a rootfs: the whole list of packages, and the summary that Kata's tools read."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from rootfs_kit import manifest, osbuilder_yaml
from rootfs_kit.guest import finish
from rootfs_kit.guest.agent import Agent, install_agent
from rootfs_kit.guest.init import let_agent_be_init
from rootfs_kit.guest.removal import NAMES
from rootfs_kit.tree import Entry, Kind, RootfsEditor, open_rootfs
from tests.guest.made import DISTRO, EPOCH, MACHINE, Listener, request
from tests.support.agents import stand_in_agent

AGENT = Agent("kata-agent", stand_in_agent(), is_probe=True)
CREATED = "2023-11-14T22:13:20"


@pytest.fixture
def guest(editor: RootfsEditor) -> RootfsEditor:
    install_agent(editor, AGENT)
    return editor


def read(editor: RootfsEditor) -> dict[str, object]:
    document = json.loads(editor.read_text(manifest.PATH))
    assert isinstance(document, dict)
    return document


def test_the_manifest_says_what_went_in(guest: RootfsEditor) -> None:
    modules = Path("/somewhere/6.1.0-made")
    asked = request(guest.root, source_date_epoch=EPOCH, extra_packages=("strace",), kernel_modules=modules,
                    delete_units=True)  # fmt: skip
    console = Entry("/dev/console", Kind.CHAR_DEVICE, 0o600, 0, 0, 0, EPOCH, device=(5, 1))
    written = manifest.write(guest, asked, AGENT, DISTRO, None, owed=(console,))
    content = stand_in_agent().read_bytes()
    assert read(guest) == written.document
    packages = written.document.pop("packages")
    assert written.document == {
        "format": 1,
        "generator": "rootfs-kit 0.1.0",
        "created": f"{CREATED}Z",
        "source_date_epoch": EPOCH,
        "content": "full",
        "init": "systemd",
        "features": ["modules", "seccomp"],
        "distro": {"name": "debian", "release": "trixie", "version": "13", "architecture": MACHINE},
        "agent": {"name": "kata-agent", "path": "/usr/bin/kata-agent", "probe": True, "size": len(content),
                  "sha256": hashlib.sha256(content).hexdigest()},
        "modules": ["6.1.0-made"],
        "devices": [{"path": "/dev/console", "type": "character device", "mode": "0600", "device": [5, 1]}],
        "deleted_units": sorted(NAMES),
    }  # fmt: skip
    assert packages["method"] == "dpkg"
    assert (packages["requested"], packages["extra"]) == (["chrony", "kmod"], ["strace"])
    assert [one["name"] for one in packages["installed"]] == ["chrony", "kmod", "strace"]
    assert packages["installed"][0] == {
        "name": "chrony", "version": "1.0-1", "architecture": "amd64", "source": "chrony"
    }  # fmt: skip


def test_the_packages_can_be_told_once_the_database_is_gone(guest: RootfsEditor) -> None:
    asked = request(guest.root)
    before = open_rootfs(guest.root).packages
    written = manifest.write(guest, asked, AGENT, DISTRO, None)
    assert written.packages is not None
    assert written.packages["kmod"].installed_size == 10 * 1024
    finish(guest, asked, DISTRO, Listener())
    after = open_rootfs(guest.root).packages
    assert (before.method, after.method) == ("dpkg", "manifest")
    assert {name: one.version for name, one in after.items()} == {name: one.version for name, one in before.items()}
    assert guest.lstat("/var/lib/dpkg") is None


def test_the_same_build_gives_the_same_bytes(guest: RootfsEditor) -> None:
    asked = request(guest.root, source_date_epoch=EPOCH)
    contents = []
    for _ in range(2):
        manifest.write(guest, asked, AGENT, DISTRO, None)
        contents.append([guest.read_bytes(path) for path in (manifest.PATH, osbuilder_yaml.PATH)])
    assert contents[0] == contents[1]
    assert contents[0][0].endswith(b"}\n")


def test_no_time_in_the_tree_is_later_than_the_epoch(guest: RootfsEditor) -> None:
    asked = request(guest.root, source_date_epoch=EPOCH)
    guest.set_times("/etc/passwd", EPOCH - 1000)
    manifest.write(guest, asked, AGENT, DISTRO, None)
    finish(guest, asked, DISTRO, Listener())
    assert max(entry.mtime for entry in guest.walk()) == EPOCH
    assert guest.lstat("/etc/passwd").mtime == EPOCH - 1000  # type: ignore[union-attr]


def test_without_an_epoch_the_time_is_now(guest: RootfsEditor) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    written = manifest.write(guest, request(guest.root), AGENT, DISTRO, None)
    assert before <= datetime.fromisoformat(written.document["created"]) <= datetime.now(UTC)


def test_an_overlay_has_no_distribution_and_no_packages_of_its_own(empty: RootfsEditor) -> None:
    install_agent(empty, AGENT)
    let_agent_be_init(empty, AGENT)
    written = manifest.write(empty, request(empty.root, agent_init=True), AGENT, None, None)
    document = read(empty)
    assert (document["content"], document["init"]) == ("overlay", "agent")
    assert (document["distro"], document["packages"], written.packages) == (None, None, None)
    assert document["agent"]["sha256"] == hashlib.sha256(stand_in_agent().read_bytes()).hexdigest()  # type: ignore[index]


def test_a_rootfs_without_an_agent(merged: RootfsEditor) -> None:
    manifest.write(merged, request(merged.root, rootfs_only=True), None, DISTRO, None)
    assert read(merged)["agent"] is None


GOLDEN = f"""---
osbuilder:
  url: "rootfs-kit"
  version: "3.2 \\"final\\""
rootfs-creation-time: "{CREATED}.000000000+0000Z"
description: "osbuilder rootfs"
file-format-version: "0.0.2"
architecture: "{MACHINE}"
base-distro:
  name: "debian"
  version: "13"
  packages:
    default:
      - "chrony"
      - "kmod"
    extra:
      - "jq"
      - "strace"
agent:
  url: "https://github.com/kata-containers/kata-containers"
  name: "kata-agent"
  version: "unknown"
  agent-is-init-daemon: "no"
"""


def test_the_summary_has_the_shape_that_its_readers_know(guest: RootfsEditor) -> None:
    asked = request(guest.root, source_date_epoch=EPOCH, extra_packages=("strace", "jq"),
                    osbuilder_version='3.2 "final"')  # fmt: skip
    manifest.write(guest, asked, AGENT, DISTRO, None)
    assert guest.read_text("/var/lib/osbuilder/osbuilder.yaml") == GOLDEN
    assert yaml.safe_load(GOLDEN)["osbuilder"]["version"] == '3.2 "final"'


def test_the_summary_of_an_overlay_leaves_the_distribution_empty(empty: RootfsEditor) -> None:
    text = osbuilder_yaml.text(request(empty.root, agent_init=True), None, EPOCH * 10**9 + 123_456_789)
    document = yaml.safe_load(text)
    assert document["base-distro"] == {"name": "", "version": "", "packages": {"default": None, "extra": None}}
    assert document["agent"]["agent-is-init-daemon"] == "yes"
    assert document["rootfs-creation-time"] == f"{CREATED}.123456789+0000Z"
