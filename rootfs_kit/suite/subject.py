"""What one run is about: the tree, the profile that it is held to, and what is expected of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from rootfs_kit.axes import Content
from rootfs_kit.errors import UsageError
from rootfs_kit.spelling import spelt
from rootfs_kit.suite.detect import decide_profile
from rootfs_kit.suite.expectation import NOTHING_EXPECTED, Expectation
from rootfs_kit.suite.options import SuiteOptions
from rootfs_kit.suite.profile import AUTO, Profile, ProfileRequest, parse_profile
from rootfs_kit.tree import RootfsTree, open_overlaid, open_rootfs


class Subject(NamedTuple):
    """A rootfs on trial. The profile that was named on the command line beats the expectations' one."""

    options: SuiteOptions
    tree: RootfsTree
    profile: Profile
    expectation: Expectation


SUBJECT = pytest.StashKey[Subject]()
# The name of the plugin object that brings a subject which was opened before pytest started.
PREPARED = "rootfs-kit-prepared"


def open_subject(options: SuiteOptions, rootdir: Path | None) -> Subject:
    """Open the rootfs and settle its profile; `rootdir` is where a pyproject.toml may hold expectations.

    Raises UsageError for a rootfs, a profile or an expectation that cannot be used.
    """
    expectation = _expectation(options, rootdir)
    request = parse_profile(options.profile or expectation.profile or AUTO)
    tree = _open_tree(options, request)
    return Subject(options, tree, decide_profile(request, tree), expectation)


def _open_tree(options: SuiteOptions, request: ProfileRequest) -> RootfsTree:
    if options.base is None:
        return open_rootfs(options.rootfs, arch=options.arch, max_size=options.max_size)
    if request.content is Content.OVERLAY:
        raise UsageError(
            f"judging {options.rootfs} upon {options.base}",
            "what is judged is the whole rootfs that comes of both, not the overlay",
            f"Leave overlay out of the profile; or leave out {spelt('base')}, to judge the overlay by itself.",
        )
    return open_overlaid(options.rootfs, options.base, arch=options.arch, max_size=options.max_size)


def _expectation(options: SuiteOptions, rootdir: Path | None) -> Expectation:
    if options.expect is None and (rootdir is None or not (rootdir / "pyproject.toml").is_file()):
        return NOTHING_EXPECTED
    from rootfs_kit.suite.expectation_file import expectation_of

    return expectation_of(options.expect, rootdir) or NOTHING_EXPECTED
