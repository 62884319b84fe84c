"""The wheel, installed into an empty virtual environment and used in an empty directory."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.defects import Defect, chmodded, copied, linked, removed, replaced, written
from tests.support.installation import build_wheel, install
from tests.support.programs import static_program
from tests.support.real_guests import debian_guest
from tests.support.requirements import needs_program

PROJECT = Path(__file__).parents[2]
MANIFEST = "var/lib/osbuilder/manifest.json"
SYSTEM = "usr/lib/systemd/system"

pytestmark = [pytest.mark.slow, pytest.mark.network, needs_program("cc", "depmod")]


def without_a_module(root: Path) -> None:
    next(root.glob("usr/lib/modules/*/kernel/fs/fuse/virtiofs.ko*")).unlink()


BROKEN: dict[str, tuple[Defect, str]] = {
    "init dangles": (linked("usr/sbin/init", "/nowhere"), "INI-01"),
    "systemd may not be executed": (chmodded("usr/lib/systemd/systemd", 0o644), "INI-05"),
    "no agent": (removed("usr/bin/kata-agent"), "AGT-01"),
    "an empty agent": (written("usr/bin/kata-agent", "", 0o755), "AGT-01"),
    "a shell as agent": (copied(static_program, "usr/bin/kata-agent"), "AGT-01"),
    "anybody may write the agent": (chmodded("usr/bin/kata-agent", 0o777), "AGT-01"),
    "no agent service": (removed(f"{SYSTEM}/kata-agent.service"), "UNT-01"),
    "no target": (removed(f"{SYSTEM}/kata-containers.target"), "UNT-01"),
    "no sysinit.target": (removed(f"{SYSTEM}/sysinit.target"), "UNT-02"),
    "tmp.mount is masked": (linked("etc/systemd/system/tmp.mount", "/dev/null"), "UNT-05"),
    "nobody wants the bus": (removed("etc/systemd/system/kata-containers.target.wants"), "UNT-04"),
    "a machine id": (written("etc/machine-id", "1" * 32), "UNT-06"),
    "resolv.conf is a link": (linked("etc/resolv.conf", "../run/stub"), "NET-01"),
    "no /proc": (removed("proc"), "LAY-02"),
    "/tmp is not sticky": (chmodded("tmp", 0o755), "LAY-02"),
    "/var/run is elsewhere": (linked("var/run", "/tmp"), "LAY-03"),
    "/lib64 was torn": (linked("lib64", "run"), "LAY-04"),
    "a module is gone": (without_a_module, "MOD-01"),
    "no modprobe": (removed("usr/sbin/modprobe"), "MOD-03"),
    "iptables is not installed": (replaced(MANIFEST, '"name": "iptables"', '"name": "other"'), "PKG-01"),
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` directory of an environment that holds the wheel and what it depends on."""
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    return install(wheel, tmp_path_factory.mktemp("environment"))


def _run(command: list[str], cwd: Path | None = None, status: int = 0) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def guest() -> Path:
    """A real one, from Debian's archive and with the modules of Debian's cloud kernel."""
    return debian_guest(modules=True)


def test_console_script_and_module_are_the_same_program(installed: Path, tmp_path: Path) -> None:
    by_script = _run([str(installed / "rootfs-kit"), "--version"], tmp_path)
    by_module = _run([str(installed / "python"), "-m", "rootfs_kit", "--version"], tmp_path)
    assert by_script == by_module != ""


def test_distributions_come_with_the_wheel(installed: Path, tmp_path: Path) -> None:
    assert "debian" in _run([str(installed / "rootfs-kit"), "list", "--format", "names"], tmp_path).split()
    shown = json.loads(
        _run([str(installed / "rootfs-kit"), "show", "debian", "--agent", "probe", "--format", "json"], tmp_path)
    )
    assert shown


def test_checks_come_with_the_wheel(installed: Path, tmp_path: Path) -> None:
    assert "INI-01" in _run([str(installed / "rootfs-kit"), "checks"], tmp_path)


def test_overlay_is_made_in_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    _run([str(installed / "rootfs-kit"), "overlay", "-q", "--agent", "probe", "-r", "new"], tmp_path)
    assert (tmp_path / "new/usr/bin/kata-agent").is_file()
    assert (tmp_path / "new/usr/lib/systemd/system/kata-agent.service").is_file()


def test_pytest_judges_a_good_rootfs(installed: Path, guest: Path, tmp_path: Path) -> None:
    (tmp_path / "myrootfs").symlink_to(guest)
    output = _run([str(installed / "pytest"), "--rootfs=./myrootfs", "-p", "no:cacheprovider"], tmp_path)
    assert "rootfs-kit/test_init.py" in output
    (tmp_path / "myrootfs").unlink()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("defect", "check"), BROKEN.values(), ids=BROKEN.keys())
def test_pytest_names_the_check_for_a_broken_copy(
    installed: Path, guest: Path, tmp_path: Path, defect: Defect, check: str
) -> None:
    broken = tmp_path / "myrootfs"
    _run(["cp", "--archive", "--reflink=auto", str(guest), str(broken)])
    defect(broken)
    command = [str(installed / "pytest"), "--rootfs=./myrootfs", "--rootfs-profile=systemd,modules"]
    output = _run([*command, "-p", "no:cacheprovider"], tmp_path, status=1)
    shutil.rmtree(broken)
    assert check in output
