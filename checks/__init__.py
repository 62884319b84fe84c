"""The conformance checks: ordinary pytest tests, one module for each room, judged against the `rootfs` fixture."""
