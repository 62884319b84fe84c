"""The house rules, written like rootfs-kit's own checks."""
