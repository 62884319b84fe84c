"""Builds whose package manager runs in a container: the real Docker Engine, and the real Podman."""
