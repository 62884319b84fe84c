"""What a known-bad twin is, and the good trees that they are made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import trees
from tests.support.defects import Defect

SYSTEM = trees.SYSTEM
ETC_SYSTEM = "etc/systemd/system"
MODULES = f"usr/lib/modules/{trees.KERNEL}"
YAML = "var/lib/osbuilder/osbuilder.yaml"
MANIFEST = "var/lib/osbuilder/manifest.json"

# The kinds of good trees. Device nodes take root.
GOOD: dict[str, Callable[[Path], Path]] = {
    "systemd": trees.systemd_guest,
    "agent-init": trees.agent_init_guest,
    "policy": trees.policy_guest,
    "confidential": trees.confidential_guest,
    "selinux": trees.selinux_guest,
    "overlay": trees.systemd_overlay,
    "agent-init-overlay": trees.agent_init_overlay,
    "initrd": trees.initrd,
    "systemd-initrd": trees.systemd_initrd,
}
NEED_ROOT = ("initrd", "systemd-initrd")


@dataclass(frozen=True)
class Twin:
    """`finds` must be the only test that finds anything once `defect` was done to a tree of `kind`.

    Where a defect cannot but break another rule too, `along_with` names that one.
    """

    story: str
    finds: str
    defect: Defect
    kind: str = "systemd"
    profile: str = "auto"
    features: tuple[str, ...] = field(default=())
    expect: str = ""
    along_with: str = ""


def nothing(root: Path) -> None:
    """The tree is good; what is asked of it is not."""
