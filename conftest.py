"""Wires the in-tree plugin, so that the project's own tests run in a checkout that is not installed."""

from __future__ import annotations

pytest_plugins = ["rootfs_kit.pytest_plugin", "pytester"]
