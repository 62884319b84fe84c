"""The project's own tests; the conformance checks for any rootfs are in `checks/`."""
