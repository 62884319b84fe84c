"""`python -m rootfs_kit` is the same program as the console script `rootfs-kit`."""

from __future__ import annotations

from rootfs_kit.cli import main

if __name__ == "__main__":
    main()
