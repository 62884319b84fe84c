"""SELinux: whether the guest can have it at all. The labels are image_builder.sh's work (I:426-448)."""

from __future__ import annotations

from rootfs_kit.distro import Distro
from rootfs_kit.errors import BuildFailed, UsageError
from rootfs_kit.request import BuildRequest
from rootfs_kit.tree import RootfsEditor

CONFIGURATION = "/etc/selinux"
LEAVE_OUT = "Leave out --selinux (SELINUX=no)"


def require_selinux_possible(request: BuildRequest, distro: Distro | None) -> None:
    """Raise UsageError where SELinux was asked for and cannot be had."""
    if not request.selinux:
        return
    doing = "preparing a guest with SELinux"
    if request.agent_init:
        found = "nothing loads the policy before an agent that is init"
        raise UsageError(doing, found, f"{LEAVE_OUT} or --agent-init (AGENT_INIT=no).")
    if distro is None:
        found = "an overlay has no policy: it would have to fit the base, which is not known here"
        raise UsageError(doing, found, f"{LEAVE_OUT}, and install the policy in the base.")
    distro.require_support(request)


def require_policy_installed(editor: RootfsEditor) -> None:
    """Raise BuildFailed where the packages left no policy behind that init could load (selinux_config(5))."""
    names = editor.listdir(CONFIGURATION)
    if not any(editor.listdir(f"{CONFIGURATION}/{name}/policy") for name in names):
        raise BuildFailed(
            "looking for the SELinux policy of the guest",
            f"no {CONFIGURATION}/*/policy holds one",
            f"Install the distribution's policy packages (--extra-pkgs), or: {LEAVE_OUT}.",
        )
