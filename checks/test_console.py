"""Console: a way in for the person who looks for the fault."""

from __future__ import annotations

from rootfs_kit.suite.check import FULL, WARN, check, require
from rootfs_kit.tree import RootfsTree


@check(
    "DBG-01", severity=WARN, content=FULL, features=["debug-console"], source="src/agent/src/console.rs:37-49, 143-170"
)
def test_debug_console_has_a_shell(rootfs: RootfsTree) -> None:
    """Guards against `kata-runtime exec` into a guest without a shell that the agent can start.

    The agent starts /bin/bash or /bin/sh with an empty argument list, at which busybox's shell gives up
    (kata-containers#8087). Install bash.
    """
    bash, shell = rootfs.file("/bin/bash"), rootfs.file("/bin/sh")
    final = rootfs.resolve("/bin/sh").final or ""
    require(
        bash.is_executable or (shell.is_executable and "busybox" not in final),
        "/bin/bash",
        found=f"{bash.describe()}; /bin/sh is {shell.describe()}",
        expected="bash, or a /bin/sh that is not busybox",
        at_boot="the guest boots; the debug console says: applet not found",
        mend="install bash",
    )
