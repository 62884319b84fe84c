"""Which backends a description may name."""

from __future__ import annotations

from rootfs_kit.backends.registry import OURS, backend_names, find_backend, is_backend


def test_our_own_are_all_there_and_known_without_being_imported():
    assert {find_backend(name).name for name in backend_names()} == set(backend_names())
    ours = {name for name in backend_names() if type(find_backend(name)).__module__.startswith("rootfs_kit.")}
    assert ours == set(OURS)
    assert all(is_backend(name) for name in backend_names())
    assert not is_backend("nope")
