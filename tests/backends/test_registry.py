"""Which backends a description may name."""

from __future__ import annotations

from rootfs_kit.backends.registry import backend_names, find_backend
from rootfs_kit.distro import BACKENDS


def test_our_own_are_all_there_and_known_without_being_imported() -> None:
    assert {find_backend(name).name for name in backend_names()} == set(backend_names())
    ours = {name for name in backend_names() if type(find_backend(name)).__module__.startswith("rootfs_kit.")}
    assert ours == set(BACKENDS)
