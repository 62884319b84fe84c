"""Policy, tarballs, confidential guests and SELinux: what each brings into the tree, and when it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfs_kit.errors import BadArchive, BuildFailed, UsageError
from rootfs_kit.guest.confidential import widen_run
from rootfs_kit.guest.policy import install_policy, require_policy
from rootfs_kit.guest.selinux import require_policy_installed, require_selinux_possible
from rootfs_kit.guest.tarballs import unpack_tarballs
from rootfs_kit.tree import RootfsEditor, open_rootfs
from rootfs_kit.tree.units import find_unit
from tests.guest.made import DISTRO, request
from tests.guest.test_agent_choice import tarball
from tests.support.trees import write

POLICY = "package agent_policy\n\ndefault AllowRequests := true\n"


def test_a_policy_keeps_its_name_and_is_the_default(editor: RootfsEditor, tmp_path: Path) -> None:
    policy = write(tmp_path, "strict.rego", POLICY, 0o600)
    for _ in range(2):
        install_policy(editor, policy)
        assert editor.listdir("/etc/kata-opa") == ["default-policy.rego", "strict.rego"]
        assert editor.read_text("/etc/kata-opa/default-policy.rego") == POLICY
        entry = editor.resolve("/etc/kata-opa/default-policy.rego").entry
        assert entry is not None
        assert (entry.path, entry.mode, entry.uid, entry.gid) == ("/etc/kata-opa/strict.rego", 0o644, 0, 0)


def test_a_policy_that_has_the_defaults_own_name_is_no_link_to_itself(merged: RootfsEditor, tmp_path: Path) -> None:
    install_policy(merged, write(tmp_path, "other.rego", "package agent_policy\n# other\n"))
    install_policy(merged, write(tmp_path, "default-policy.rego", POLICY))
    assert merged.lstat("/etc/kata-opa/default-policy.rego").is_file  # type: ignore[union-attr]
    assert merged.read_text("/etc/kata-opa/default-policy.rego") == POLICY
    assert "# other" in merged.read_text("/etc/kata-opa/other.rego")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"package other\n", "package agent_policy"), (b"", "package agent_policy"), (b"\xff\xfe", "no text")],
)
def test_a_file_that_is_no_policy_of_the_agents(tmp_path: Path, content: bytes, said: str) -> None:
    policy = tmp_path / "policy.rego"
    policy.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        require_policy(policy)


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        require_policy(tmp_path / "missing.rego")


def test_tarballs_are_laid_over_and_leave_links_to_directories_alone(editor: RootfsEditor, tmp_path: Path) -> None:
    wanted = {
        "guest_hooks_tarball": {"usr/share/oci/hooks/prestart/hook.sh": b"#!/bin/sh\n"},
        "pause_tarball": {"pause_bundle/config.json": b"{}"},
        "coco_tarball": {"bin/attestation-agent": b"x", "usr/local/bin/api-server-rest": b"x"},
    }
    archives = {knob: tarball(tmp_path / f"{knob}.tar.zst", members) for knob, members in wanted.items()}
    is_link = editor.lstat("/bin").is_symlink  # type: ignore[union-attr]
    for _ in range(2):
        unpack_tarballs(editor, request(tmp_path, **archives))
        assert all(editor.exists(f"/{path}") for members in wanted.values() for path in members)
        assert editor.lstat("/bin").is_symlink is is_link  # type: ignore[union-attr]
        assert editor.exists("/bin/sh")


def test_a_tarball_that_climbs_out_is_refused_and_nothing_is_outside(merged: RootfsEditor, tmp_path: Path) -> None:
    archive = tarball(tmp_path / "bad.tar.zst", {"../escaped": b"x"})
    with pytest.raises(BadArchive, match="climbs out"):
        unpack_tarballs(merged, request(tmp_path, coco_tarball=archive))
    assert not (merged.root.parent / "escaped").exists()


def test_a_confidential_guest_has_room_in_run(editor: RootfsEditor) -> None:
    editor.write("/usr/lib/systemd/system/kata-containers.target", "[Unit]\nRequires=basic.target\n")
    editor.write("/etc/fstab", "/dev/vda1 / ext4 ro 0 1\ntmpfs /run tmpfs size=10% 0 0\ntmpfs /run/user tmpfs - 0 0\n")
    for _ in range(2):
        widen_run(editor)
        mounts = [line.split()[1:4] for line in editor.read_text("/etc/fstab").splitlines()]
        assert mounts == [
            ["/", "ext4", "ro"], ["/run/user", "tmpfs", "-"], ["/run", "tmpfs", "nodev,nosuid,size=50%"]
        ]  # fmt: skip
        target = find_unit(open_rootfs(editor.root), "kata-containers.target")
        assert target is not None
        assert target.requires == ("basic.target", "systemd-remount-fs.service")


def test_a_confidential_guest_without_the_service_that_would_do_it(editor: RootfsEditor) -> None:
    editor.remove("/lib/systemd/system/systemd-remount-fs.service")
    with pytest.raises(BuildFailed, match=r"systemd-remount-fs\.service"):
        widen_run(editor)
    assert editor.read_text("/etc/fstab") == "# none\n"


def test_a_confidential_overlay_trusts_its_base(empty: RootfsEditor) -> None:
    widen_run(empty)
    assert empty.read_text("/etc/fstab").split()[1] == "/run"


def test_selinux_is_refused_where_nothing_could_load_its_policy(tmp_path: Path) -> None:
    require_selinux_possible(request(tmp_path), None)
    for knobs, distro in (({"agent_init": True}, DISTRO), ({}, None), ({}, DISTRO)):
        with pytest.raises(UsageError, match=r"--selinux \(SELINUX"):
            require_selinux_possible(request(tmp_path, selinux=True, **knobs), distro)


def test_selinux_needs_a_policy_in_the_tree(merged: RootfsEditor) -> None:
    with pytest.raises(BuildFailed, match="/etc/selinux"):
        require_policy_installed(merged)
    merged.write("/etc/selinux/targeted/policy/policy.33", b"policy")
    require_policy_installed(merged)
