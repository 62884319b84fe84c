"""What was asked: every knob of a build, in one frozen value that crosses every border unchanged.

Nothing downstream of this module reads an environment variable or an option: `knobs.py` says what each knob is
called, and `settings.py` reads them from everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rootfs_kit.axes import FEATURES, InitMode

DEFAULT_AGENT_NAME = "kata-agent"
PROBE_AGENT = "probe"
AUTO_ENGINE = "auto"
STANDARD_OUTPUT = Path("-")


class Format(StrEnum):
    """What the tree is written to."""

    DIRECTORY = "dir"
    TAR = "tar"
    CPIO = "cpio"


@dataclass(frozen=True)
class BuildRequest:
    """One build or overlay, as asked. Paths are absolute but for STANDARD_OUTPUT; `None` means "not asked for".

    `script_variables` are osbuilder's variables for a config.sh, names and values (`script_variables.py`).
    """

    rootfs_dir: Path
    distro: str | None = None
    agent_init: bool = False
    agent: str | None = None
    agent_bin: Path | None = None
    agent_tarball: Path | None = None
    agent_name: str = DEFAULT_AGENT_NAME
    agent_policy: Path | None = None
    kernel_modules: Path | None = None
    extra_packages: tuple[str, ...] = ()
    os_version: str | None = None
    arch: str | None = None
    mirror: str | None = None
    components: tuple[str, ...] = ()
    guest_hooks_tarball: Path | None = None
    coco_tarball: Path | None = None
    pause_tarball: Path | None = None
    confidential: bool = False
    seccomp: bool = True
    selinux: bool = False
    rootfs_only: bool = False
    delete_units: bool = False
    osbuilder_version: str = "unknown"
    source_date_epoch: int | None = None
    overlay_dirs: tuple[Path, ...] = ()
    run_scripts: tuple[Path, ...] = ()
    format: Format = Format.DIRECTORY
    engine: str = AUTO_ENGINE
    owner: str | None = None
    builder_image: str | None = None
    image_registry: str | None = None
    container_runtime: str | None = None
    force: bool = False
    keep_failed: bool = False
    wait: bool = True
    graceful_exit: bool = False
    check: bool = True
    allow_probe_agent: bool = False
    log: Path | None = None
    script_variables: tuple[tuple[str, str], ...] = ()

    @property
    def to_stdout(self) -> bool:
        """Whether the archive goes to standard output, and everything else elsewhere."""
        return self.rootfs_dir == STANDARD_OUTPUT

    @property
    def init_mode(self) -> InitMode:
        return InitMode.AGENT if self.agent_init else InitMode.SYSTEMD

    @property
    def features(self) -> tuple[str, ...]:
        """The features that were asked for, sorted: names of FEATURES."""
        asked = {
            "confidential": self.confidential,
            "modules": self.kernel_modules is not None,
            "policy": self.agent_policy is not None,
            "seccomp": self.seccomp,
            "selinux": self.selinux,
        }
        return tuple(feature for feature in FEATURES if asked[feature])
