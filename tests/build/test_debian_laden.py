"""A guest from Debian's real archive that was given everything at once, on a host with a name that is easily found."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from rootfs_kit.guest.removal import NAMES
from rootfs_kit.tree import open_rootfs
from tests.build.builds import manifest
from tests.support.agents import stand_in_agent, stand_in_policy_agent
from tests.support.boot import cloud_modules
from tests.support.real_guests import build_debian
from tests.support.requirements import needs_debian_archive, needs_program
from tests.support.trees import link, write
from tests.support.verdicts import caught, judged

pytestmark = [
    pytest.mark.slow, pytest.mark.network, needs_debian_archive(), needs_program("cc", "depmod", "zstd", "unshare")
]  # fmt: skip

HOST_NAME = "machine-that-builds"
UNDER_THAT_NAME = ("unshare", "--uts", "sh", "-c", f'hostname {HOST_NAME} && exec "$@"', "sh")
POLICY = "package agent_policy\n\ndefault AllowRequestsFailingPolicy := false\n"
LIST_PACKAGES = """#!/bin/sh
set -e
dpkg-query -W -f '${db:Status-Status} ${Package} ${Version} ${Architecture} ${source:Package}\\n' > /opt/packages
hostname > /opt/host-name
"""


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def laden(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("laden")
    (place / "list-packages").write_text(LIST_PACKAGES)
    (place / "strict.rego").write_text(POLICY)
    done = build_debian(
        place / "rootfs", "--os-version", request.param, "--agent-bin", str(stand_in_policy_agent()),
        "--agent-policy", str(place / "strict.rego"), "--guest-hooks-tarball", str(_hooks(place)),
        "--kernel-modules", str(_modules_of_a_build_host(place)), "--extra-pkgs", "strace,jq", "--delete-units",
        "--run", str(place / "list-packages"), before=UNDER_THAT_NAME,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return place / "rootfs"


def _hooks(place: Path) -> Path:
    """An archive whose bin and lib are directories, as in a tree that is not merged-usr."""
    tree = place / "hooks"
    write(tree, "bin/of-the-hooks", "#!/bin/sh\n", 0o755)
    write(tree, "lib/of-the-hooks", "data\n")
    write(tree, "usr/share/oci/hooks/prestart/hook", "#!/bin/sh\n", 0o755)
    subprocess.run(["tar", "--zstd", "-C", str(tree), "-cf", f"{tree}.tar.zst", "."], check=True)
    return Path(f"{tree}.tar.zst")


def _modules_of_a_build_host(place: Path) -> Path:
    """The modules with the links that `make modules_install` leaves beside them."""
    modules = place / cloud_modules().name
    subprocess.run(["cp", "-al", str(cloud_modules()), str(modules)], check=True)
    for name in ("build", "source"):
        link(modules, name, "/usr/src/linux-of-the-build-host")
    return modules


def test_the_suite_finds_nothing(laden: Path) -> None:
    assert caught(judged(laden, "systemd", ("modules", "policy"))) == {}


def test_the_manifest_lists_what_dpkg_listed_before_its_database_went(laden: Path) -> None:
    listed = [line.split() for line in (laden / "opt/packages").read_text().splitlines()]
    said = [
        ["installed", *(package[key] for key in ("name", "version", "architecture", "source"))]
        for package in manifest(laden)["packages"]["installed"]
    ]
    assert sorted(said) == sorted(listed)
    assert {"strace", "jq"} <= {name for _, name, *_ in listed}
    assert manifest(laden)["packages"]["extra"] == ["jq", "strace"]
    assert not (laden / "var/lib/dpkg").exists()


def test_the_name_of_the_host_is_nowhere(laden: Path) -> None:
    """The script was run under it; what dpkg and the maintainer scripts saw of it is gone."""
    assert (laden / "opt/host-name").read_text().strip() == HOST_NAME
    files = (path for path in laden.rglob("*") if path.is_file() and not path.is_symlink())
    assert [path for path in files if HOST_NAME.encode() in path.read_bytes()] == [laden / "opt/host-name"]


def test_the_policy_is_the_agents_default(laden: Path) -> None:
    place = laden / "etc/kata-opa"
    assert os.readlink(place / "default-policy.rego") == "strict.rego"
    assert (place / "strict.rego").read_text() == POLICY
    assert (place / "strict.rego").stat().st_mode & 0o7777 == 0o644


def test_an_archive_replaces_no_link_to_a_directory(laden: Path) -> None:
    assert [os.readlink(laden / name) for name in ("bin", "lib", "sbin")] == ["usr/bin", "usr/lib", "usr/sbin"]
    for path in ("usr/bin/of-the-hooks", "usr/lib/of-the-hooks", "usr/share/oci/hooks/prestart/hook", "usr/bin/dash"):
        assert (laden / path).is_file()


def test_links_to_the_kernels_source_are_dropped(laden: Path) -> None:
    modules = laden / "lib/modules" / cloud_modules().name
    assert (modules / "modules.dep.bin").is_file()
    assert [name for name in ("build", "source") if (modules / name).is_symlink()] == []


def test_the_units_are_gone_and_the_rest_can_start(laden: Path) -> None:
    tree = open_rootfs(laden)
    assert [entry.path for entry in tree.walk() if entry.path.rpartition("/")[2] in NAMES] == []
    assert tree.unit("systemd-tmpfiles-setup-dev.service") is not None
    assert manifest(laden)["deleted_units"] == sorted(NAMES)


def test_units_that_the_bus_needs_are_not_deleted(tmp_path: Path) -> None:
    """dbus-broker logs to the journal and ends without it (kata-containers#11126)."""
    target = tmp_path / "rootfs"
    done = build_debian(target, "--agent-bin", str(stand_in_agent()), "--extra-pkgs", "dbus-broker", "--delete-units")
    assert done.returncode == 3
    assert "dbus-broker logs to the journal" in done.stderr
    assert os.listdir(tmp_path) == []
