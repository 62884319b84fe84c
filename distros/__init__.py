"""The distributions that rootfs-kit brings: one directory each, described by its `distro.toml`."""
