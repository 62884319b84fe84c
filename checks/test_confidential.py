"""Confidential guests: the guest components, the pause bundle, and the tools that encrypt storage."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rootfs_kit.suite.check import ERROR, FULL, SYSTEMD, WARN, Finding, check, report, require
from rootfs_kit.tree import RootfsTree
from rootfs_kit.tree.elf import NotElf
from rootfs_kit.tree.elf_closure import closure_problems

COMPONENTS = ("attestation-agent", "confidential-data-hub", "api-server-rest")
DIRECTORY = "/usr/local/bin"
OCICRYPT = "/etc/ocicrypt_config.json"
PAUSE = "/pause_bundle"
STORAGE_TOOLS = (("cryptsetup", "cryptsetup-bin"), ("mkfs.ext4", "e2fsprogs"), ("dd", "coreutils"))
DIRECTORIES = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
REMOUNT = "systemd-remount-fs.service"
NO_GUEST_PULL = "pulling images inside the guest fails"


def _program(rootfs: RootfsTree, name: str) -> str | None:
    paths = (f"{directory}/{name}" for directory in DIRECTORIES)
    return next((path for path in paths if rootfs.file(path).is_executable), None)


def _broken(rootfs: RootfsTree, path: str) -> list[str]:
    try:
        return [str(problem) for problem in closure_problems(rootfs, path)]
    except NotElf:
        return []


@check(
    "COC-01", severity=ERROR, content=FULL, features=["confidential"], source="src/agent/src/main.rs:414-425, 631-777"
)
@pytest.mark.parametrize("component", COMPONENTS)
def test_guest_component_runs(rootfs: RootfsTree, component: str) -> None:
    """Guards against guest components of which some are missing: the agent then starts none of them.

    Unpack the whole tarball of them (rootfs-kit build --coco-tarball FILE).
    """
    path = f"{DIRECTORY}/{component}"
    require(
        rootfs.file(path).is_executable,
        path,
        found=rootfs.file(path).describe(),
        expected="an executable program, as all of " + ", ".join(COMPONENTS),
        at_boot="the agent warns and starts none of the guest components: no attestation, no secrets",
        mend="unpack the guest components again (--coco-tarball FILE)",
    )
    report(
        Finding(
            path,
            found=problem,
            expected="a program whose loader and libraries are all in the rootfs",
            at_boot="its socket never appears, and the agent exits after six seconds",
            mend="install the library, or use components that are linked statically",
        )
        for problem in _broken(rootfs, path)
    )


@check("COC-01", severity=ERROR, content=FULL, features=["confidential"], source="src/agent/src/main.rs:103-114")
def test_ocicrypt_configuration_can_be_read(rootfs: RootfsTree) -> None:
    """Guards against a configuration that the agent hands to the data hub and that is no JSON."""
    require(
        _is_json(rootfs, OCICRYPT),
        OCICRYPT,
        found=rootfs.file(OCICRYPT).describe() if not rootfs.file(OCICRYPT).is_file else "no JSON document",
        expected="a JSON document",
        at_boot="encrypted images cannot be decrypted",
        mend="unpack the guest components again (--coco-tarball FILE)",
    )


def _is_json(rootfs: RootfsTree, path: str) -> bool:
    return _json(rootfs, path) is not None


def _json(rootfs: RootfsTree, path: str) -> Any:
    if not rootfs.file(path).is_file:
        return None
    try:
        return json.loads(rootfs.read_bytes(path, limit=1 << 20))
    except (ValueError, RecursionError):
        return None


@check(
    "COC-02",
    severity=ERROR,
    content=FULL,
    features=["confidential"],
    source="src/agent/src/confidential_data_hub/image.rs:25, 59-129",
)
def test_pause_bundle_can_be_started(rootfs: RootfsTree) -> None:
    """Guards against a pause bundle whose program is missing: with guest pull no sandbox starts.

    Unpack the pause image (rootfs-kit build --pause-tarball FILE).
    """
    path = f"{PAUSE}/config.json"
    document = _json(rootfs, path)
    require(
        isinstance(document, dict),
        path,
        found=rootfs.file(path).describe() if not rootfs.file(path).is_file else "no JSON object",
        expected="the OCI configuration of the pause container",
        at_boot="Pause image not present in rootfs: no sandbox starts",
        mend="unpack the pause image (--pause-tarball FILE)",
    )
    words = document.get("process", {}).get("args") if isinstance(document.get("process"), dict) else None
    program = f"{PAUSE}/rootfs/{words[0].lstrip('/')}" if words and isinstance(words[0], str) else f"{PAUSE}/rootfs"
    require(
        rootfs.file(program).is_executable,
        program,
        found=rootfs.file(program).describe(),
        expected="the program that process.args of the bundle names, executable",
        at_boot="the pause container cannot be started: no sandbox starts",
        mend="unpack the pause image again (--pause-tarball FILE)",
    )


@check("COC-03", severity=ERROR, content=FULL, features=["confidential"], source="kata-containers PR#12396")
@pytest.mark.parametrize(("tool", "package"), STORAGE_TOOLS, ids=[tool for tool, _ in STORAGE_TOOLS])
def test_secure_storage_tool_runs(rootfs: RootfsTree, tool: str, package: str) -> None:
    """Guards against a data hub that cannot encrypt storage: it runs cryptsetup, mkfs.ext4 and dd."""
    path = _program(rootfs, tool)
    require(
        path is not None,
        f"/usr/sbin/{tool}",
        found=f"no {tool} in {', '.join(DIRECTORIES)}",
        expected=f"{tool}, executable",
        at_boot="Secure Mount failed: encrypted storage cannot be set up",
        mend=f"install {package}",
    )
    assert path is not None
    report(
        Finding(
            path,
            found=problem,
            expected="a program whose loader and libraries are all in the rootfs",
            at_boot="Secure Mount failed, and nothing else is said",
            mend=f"install what {package} depends on",
        )
        for problem in _broken(rootfs, path)
    )


@check("COC-03", severity=WARN, content=FULL, features=["confidential"], source="kata-containers 6e5e4e55d0")
def test_certificates_are_installed(rootfs: RootfsTree) -> None:
    """Guards against a guest that cannot verify the registry it pulls from. Install ca-certificates."""
    require(
        any(rootfs.file(path).is_file and rootfs.file(path).size for path in CERTIFICATES),
        CERTIFICATES[0],
        found=rootfs.file(CERTIFICATES[0]).describe(),
        expected="the bundle of certificate authorities",
        at_boot=f"{NO_GUEST_PULL}: certificate verify failed",
        mend="install ca-certificates",
    )


@check("COC-03", severity=WARN, content=FULL, init=SYSTEMD, features=["confidential"], source="kata-containers#6775")
def test_run_has_room_for_images(rootfs: RootfsTree) -> None:
    """Guards against a /run too small for images that are pulled in the guest: systemd gives it a fifth of memory.

    /etc/fstab must give /run half of it, and the target must wait for systemd-remount-fs.
    """
    fstab = rootfs.file("/etc/fstab").read_text() if rootfs.file("/etc/fstab").is_file else ""
    lines = [line.split() for line in fstab.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    options = [line[3] for line in lines if len(line) > 3 and line[1] == "/run"]
    require(
        any("size=50%" in value.split(",") for value in options),
        "/etc/fstab",
        found="/run with " + ", ".join(options) if options else "no line for /run",
        expected="a tmpfs on /run with size=50%",
        at_boot=f"{NO_GUEST_PULL}: No space left on device",
        mend="build with --confidential, or add the line",
    )


@check("COC-03", severity=WARN, content=FULL, init=SYSTEMD, features=["confidential"], source="kata-containers#6775")
def test_run_is_mounted_anew(rootfs: RootfsTree) -> None:
    """Guards against a line of /etc/fstab that nobody applies: systemd has mounted /run before it reads the file.

    Kata's target must require systemd-remount-fs.service, or local-fs.target want it.
    """
    places = [unit for name in ("kata-containers.target", "local-fs.target") if (unit := rootfs.unit(name)) is not None]
    unit = rootfs.unit(REMOUNT)
    require(
        unit is not None and not unit.masked and any(REMOUNT in (*one.requires, *one.wants) for one in places),
        unit.path if unit is not None else f"/usr/lib/systemd/system/{REMOUNT}",
        found="no such unit" if unit is None else "masked" if unit.masked else "a unit that nobody asks for",
        expected=f"{REMOUNT}, required by kata-containers.target",
        at_boot=f"/run keeps the size that systemd gave it; {NO_GUEST_PULL}: No space left on device",
        mend=f"add Requires={REMOUNT} to kata-containers.target (rootfs-kit build --confidential)",
    )


@check(
    "STO-01",
    severity=WARN,
    content=FULL,
    source="src/agent/src/storage/block_handler.rs:41, 142; kata-containers PR#13127",
)
def test_mkfs_ext4_runs(rootfs: RootfsTree) -> None:
    """Guards against block-backed emptyDir volumes that cannot be formatted in the guest. Install e2fsprogs."""
    path = _program(rootfs, "mkfs.ext4")
    broken = _broken(rootfs, path) if path else []
    require(
        path is not None and not broken and rootfs.exists("/etc/mke2fs.conf"),
        path or "/usr/sbin/mkfs.ext4",
        found=broken[0] if broken else "no mkfs.ext4" if path is None else "no /etc/mke2fs.conf",
        expected="mkfs.ext4 with its libraries and /etc/mke2fs.conf",
        at_boot="the guest boots; pods with block-backed emptyDir volumes fail",
        mend="install e2fsprogs",
    )
