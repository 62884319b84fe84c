"""The checks as pytest sees them: nodes of their own, with the same ids from every directory and installation.

The user's own rules (python_files, python_functions, usefixtures) are about the user's tests and do not reach these.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rootfs_kit.suite.check import MARKER, CheckInfo
from rootfs_kit.suite.check_modules import import_checks
from rootfs_kit.suite.expectation import Expectation
from rootfs_kit.suite.items import asks_for_nothing
from rootfs_kit.suite.places import CheckDirectory, directory_at, is_of_checks, next_to_checks
from rootfs_kit.suite.profile import Profile
from rootfs_kit.tree import RootfsTree

CATALOGUE = pytest.StashKey[set[tuple[str, str]]]()


def check_info(node: pytest.Item) -> CheckInfo | None:
    """What the check that `node` belongs to says about itself; None for a test that is no check."""
    marker = node.get_closest_marker(MARKER)
    return marker.args[0] if marker is not None and marker.args else None


def is_of_the_suite(node: pytest.Item) -> bool:
    """Whether `node` is a check that is packaged, here or in a plugin; not one among the user's own tests."""
    return isinstance(node.getparent(pytest.Module), SuiteModule)


class SuiteModule(pytest.Module):
    """One room of checks, imported by a name that no directory of the user's can shadow."""

    directory: CheckDirectory

    def _getobj(self) -> ModuleType:
        return import_checks(self.path, self.directory.package)

    def funcnamefilter(self, name: str) -> bool:
        return name.startswith("test_")

    def classnamefilter(self, name: str) -> bool:
        return name.startswith("Test")


class SuiteDirectory(pytest.Collector):
    """A directory of checks. No pytest.Directory: pytest would load each conftest.py in it, and above it."""

    directory: CheckDirectory

    def collect(self) -> Iterator[pytest.Collector]:
        for path in self.directory.files:
            yield suite_module(self, path, self.directory)


class Passage(pytest.Collector):
    """A directory above checks, of a checkout mostly, where nothing else is collected: its conftest.py stays unread."""

    def collect(self) -> Iterator[pytest.Collector]:
        for path in next_to_checks(self.path):
            node: pytest.Collector | None = self.ihook.pytest_collect_directory(path=path, parent=self)
            if node is not None:
                yield node


def suite_module(parent: pytest.Collector, path: Path, directory: CheckDirectory) -> SuiteModule:
    node: SuiteModule = SuiteModule.from_parent(
        parent, path=path, name=path.name, nodeid=f"{directory.prefix}/{path.name}"
    )
    node.directory = directory
    return node


class Collection:
    """The hooks that find the checks, and leave out those that do not apply to the profile."""

    def __init__(self, profile: Profile, expectation: Expectation) -> None:
        self.profile = profile
        self.expectation = expectation

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        directory = directory_at(path)
        if directory is None:
            foreign = next_to_checks(path) and not _leads_to_tests_of_the_user(path, parent.config)
            return Passage.from_parent(parent, path=path, name=path.name) if foreign else None
        node: SuiteDirectory = SuiteDirectory.from_parent(
            parent, path=path, name=directory.prefix, nodeid=directory.prefix
        )
        node.directory = directory
        return node

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> SuiteModule | None:
        directory = directory_at(module_path.parent)
        return suite_module(parent, module_path, directory) if directory is not None else None

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        made = yield
        if not isinstance(made, list):
            return made
        return [node for node in made if not isinstance(node, pytest.Function) or self._wanted(node)]

    def _wanted(self, node: pytest.Function) -> bool:
        info = check_info(node)
        if info is not None:
            node.config.stash.setdefault(CATALOGUE, set()).add((info.id, node.nodeid))
            node.extra_keyword_matches.add(info.id)
        if is_of_the_suite(node):
            _drop_fixtures_of_the_user(node)
        return (info is None or self._applies(info)) and not asks_for_nothing(node)

    def _applies(self, info: CheckInfo) -> bool:
        return self.profile.applies(info) and (not info.expects or self.expectation.asks_for(info.expects))


class Scanning:
    """Has the tree scanned before the first check, which is not to be held to account for the time that takes.

    Tests of the user's own mostly ask for single paths, and need no scan.
    """

    def __init__(self, tree: RootfsTree) -> None:
        self.tree = tree

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        if any(is_of_the_suite(item) for item in session.items):
            len(self.tree)


def _leads_to_tests_of_the_user(path: Path, config: pytest.Config) -> bool:
    """Where pytest was told to look for something else than checks, it goes its own way (so for all of --pyargs)."""
    named = [config.invocation_params.dir / argument.partition("::")[0] for argument in config.args]
    places = [place.resolve() for place in named]
    return config.option.pyargs or any(place.is_relative_to(path) and not is_of_checks(place) for place in places)


def _drop_fixtures_of_the_user(node: pytest.Function) -> None:
    """`usefixtures` in the user's ini names fixtures of a conftest.py that is not loaded for the checks."""
    for name in node.config.getini("usefixtures"):
        while name in node.fixturenames:
            node.fixturenames.remove(name)
