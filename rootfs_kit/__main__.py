"""`python -m rootfs_kit` is the same program as the console script `rootfs-kit`."""

from __future__ import annotations

import signal


def main() -> None:
    """Start the command line. Until that handles signals itself, Ctrl-C ends the program without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from rootfs_kit.cli import main as start

    start()


if __name__ == "__main__":
    main()
