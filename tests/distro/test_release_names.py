"""Which trees are of the release that was asked for, by what their os-release calls it."""

from __future__ import annotations

import pytest

from rootfs_kit.distro import Release

ALPINE = Release("3.20", aliases=("v3.20",))
DEBIAN = Release("trixie", "13", aliases=("stable",))
ROLLING = Release("edge")


@pytest.mark.parametrize(
    ("release", "word"),
    [
        (ALPINE, "3.20"),
        (ALPINE, "3.20.3"),
        (DEBIAN, "13"),
        (DEBIAN, "trixie"),
        (DEBIAN, "13.2"),
        (ROLLING, "3.25_alpha"),
    ],
)
def test_a_tree_of_the_release_is_recognised(release: Release, word: str) -> None:
    assert release.is_called(word)


@pytest.mark.parametrize(
    ("release", "word"),
    [
        (ALPINE, "3.2"),
        (ALPINE, "3.200"),
        (ALPINE, "3.21.0"),
        (ALPINE, ""),
        (DEBIAN, "12"),
        (DEBIAN, "130"),
        (DEBIAN, ""),
    ],
)
def test_a_tree_of_another_release_is_not(release: Release, word: str) -> None:
    assert not release.is_called(word)
