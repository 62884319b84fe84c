"""The pytest plugin: `pytest --rootfs=DIR` judges a rootfs; with paths it lends the tree to the user's own tests.

Every pytest run of its environment imports this module, with or without a rootfs. So it imports pytest and nothing
else, and each hook loads what it needs the first time that somebody asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rootfs_kit.suite.expectation import Expectation, ExpectedFile, Waiver
    from rootfs_kit.suite.profile import Profile
    from rootfs_kit.suite.requirements import RequiredPackage, RequiredUnit
    from rootfs_kit.suite.subject import Subject
    from rootfs_kit.tree import RootfsTree

ITEMS = (
    "expected_file", "expected_module", "module_version", "required_package", "required_unit", "started_agent",
    "waiver",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    _add_options(parser)
    config = pluginmanager.get_plugin("pytestconfig")
    if config is None or not hasattr(config, "known_args_namespace"):
        return
    if any(str(argument).startswith("--rootfs") for argument in config.invocation_params.args):
        _load_plainly(config)
        from rootfs_kit.suite.activation import refuse_at_once

        refuse_at_once(parser, config)


def _load_plainly(config: pytest.Config) -> None:
    from rootfs_kit.suite.own_modules import load_our_modules_plainly

    config.add_cleanup(load_our_modules_plainly())


def _add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("rootfs-kit", "rootfs-kit: is a guest rootfs fit to boot?")
    option = group.addoption
    option(
        "--rootfs",
        dest="rootfs",
        metavar="ROOTFS",
        help="judge this rootfs: a directory or an archive. Write --rootfs=DIR: with a space pytest takes DIR for a "
        "directory of tests, and obeys the configuration files in it",
    )
    option(
        "--rootfs-profile",
        metavar="WORDS",
        help="auto, or what the rootfs is held to: systemd, agent-init or overlay, and features (policy, "
        "confidential, modules, selinux, debug-console, initrd, image), joined by commas",
    )
    option("--rootfs-expect", metavar="FILE", help="TOML file with what is expected of this rootfs, and waivers")
    option("--rootfs-base", metavar="BASE", help="judge what comes of this rootfs with the overlay laid over it")
    option("--rootfs-strict", action="store_true", help="warnings fail as well")
    option("--rootfs-report", metavar="FILE", help="write the findings to FILE.json, or to FILE.sarif")
    option("--rootfs-allow-host", action="store_true", help="allow --rootfs=/, the machine that pytest runs on")
    option("--rootfs-allow-probe-agent", action="store_true", help="take rootfs-kit's probe for an agent")
    option("--rootfs-arch", metavar="ARCH", help="which image of several is judged, by machine (x86_64 or amd64)")
    option("--rootfs-max-size", metavar="SIZE", help="what an archive may be decompressed to (16 GiB)")
    option(
        "--rootfs-run-agent",
        action="store_true",
        help="start the agent once, confined, with --version; without this, nothing of the rootfs is ever started",
    )
    option("--rootfs-no-truncate", action="store_true", help="show all paths of a finding, not the first five")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    if early_config.known_args_namespace.rootfs is not None:
        _load_plainly(early_config)
        from rootfs_kit.suite.activation import choose_tests

        choose_tests(early_config, args)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "rootfs_check(info, id, severity): a conformance check of rootfs-kit's catalogue"
    )
    if config.option.rootfs is not None:
        from rootfs_kit.suite.activation import activate

        activate(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    asked_for = [name for name in ITEMS if name in metafunc.fixturenames]
    if asked_for and metafunc.config.option.rootfs is not None:
        from rootfs_kit.suite.items import parametrize

        parametrize(metafunc, asked_for)


def _subject(request: pytest.FixtureRequest) -> Subject:
    if request.config.option.rootfs is None:
        pytest.fail("this test looks at a rootfs: run pytest --rootfs=DIR", pytrace=False)
    from rootfs_kit.suite.subject import SUBJECT

    return request.config.stash[SUBJECT]


@pytest.fixture(scope="session")
def rootfs(request: pytest.FixtureRequest) -> RootfsTree:
    """The rootfs that --rootfs names, read only; its paths are the guest's: `rootfs.file("/sbin/init")`."""
    return _subject(request).tree


@pytest.fixture(scope="session")
def profile(request: pytest.FixtureRequest) -> Profile:
    """What the rootfs is held to: init mode, content and features, named or detected."""
    return _subject(request).profile


@pytest.fixture(scope="session")
def expectation(request: pytest.FixtureRequest) -> Expectation:
    """What --rootfs-expect, or [tool.rootfs-kit] of pyproject.toml, expects; empty where there is neither."""
    return _subject(request).expectation


@pytest.fixture(scope="session")
def allow_probe_agent(request: pytest.FixtureRequest) -> bool:
    """Whether rootfs-kit's probe may stand in for the agent."""
    return _subject(request).options.allow_probe_agent


@pytest.fixture(scope="session")
def run_agent(request: pytest.FixtureRequest) -> bool:
    """Whether the agent may be started, to ask for its version."""
    return _subject(request).options.run_agent


@pytest.fixture
def known_checks(request: pytest.FixtureRequest) -> frozenset[tuple[str, str]]:
    """The id and the node id of every check that was found, whether it applies to this rootfs or not."""
    _subject(request)
    from rootfs_kit.suite.nodes import CATALOGUE

    known: set[tuple[str, str]] = request.config.stash.get(CATALOGUE, set())
    return frozenset(known)


def _item(request: pytest.FixtureRequest) -> Any:
    _subject(request)
    if isinstance(request.param, Exception):
        raise request.param
    return request.param


@pytest.fixture
def module_version(request: pytest.FixtureRequest) -> str:
    """Each kernel version that has a directory under /lib/modules, in turn."""
    version: str = _item(request)
    return version


@pytest.fixture
def required_package(request: pytest.FixtureRequest) -> RequiredPackage:
    """Each package that this rootfs must have, in turn."""
    package: RequiredPackage = _item(request)
    return package


@pytest.fixture
def required_unit(request: pytest.FixtureRequest) -> RequiredUnit:
    """Each unit that the expectations ask for, in turn."""
    unit: RequiredUnit = _item(request)
    return unit


@pytest.fixture
def started_agent(request: pytest.FixtureRequest) -> str:
    """The agent's name, once, where it may be started; no test where it may not."""
    name: str = _item(request)
    return name


@pytest.fixture
def expected_file(request: pytest.FixtureRequest) -> ExpectedFile:
    """Each file of the expectations, in turn."""
    file: ExpectedFile = _item(request)
    return file


@pytest.fixture
def expected_module(request: pytest.FixtureRequest) -> str:
    """Each kernel module that the expectations ask for, in turn."""
    module: str = _item(request)
    return module


@pytest.fixture
def waiver(request: pytest.FixtureRequest) -> Waiver:
    """Each waiver of the expectations, in turn."""
    accepted: Waiver = _item(request)
    return accepted
