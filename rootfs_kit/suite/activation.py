"""Turns a pytest run with --rootfs into a run of the suite: which tests, on what, and who listens."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rootfs_kit.errors import RootfsKitError
from rootfs_kit.suite.guard import HERMETIC_INI, refuse_unsafe
from rootfs_kit.suite.options import options_of
from rootfs_kit.suite.own_modules import CHECKS
from rootfs_kit.suite.places import argument_for, check_directories

CHOSEN = pytest.StashKey[bool]()


@contextmanager
def told_as_usage() -> Iterator[None]:
    """Let pytest tell our errors as its own usage errors: one message, exit status 4, no traceback."""
    try:
        yield
    except RootfsKitError as error:
        raise pytest.UsageError(str(error)) from error


def choose_tests(config: pytest.Config, args: list[str]) -> None:
    """Without paths, run the packaged checks; node ids of checks mean those; other paths are the user's own tests.

    The packaged checks take no part in the user's configuration: alone, they run without any conftest.py.
    Raises pytest.UsageError.
    """
    with told_as_usage():
        refuse_unsafe(options_of(config.known_args_namespace), config)
        pytest.register_assert_rewrite(CHECKS)
        config.stash[CHOSEN] = True
        known = config.known_args_namespace
        meant = {path: argument for path in known.file_or_dir if (argument := argument_for(path)) is not None}
        args[:] = [meant.get(arg, arg) for arg in args]
        if len(meant) < len(known.file_or_dir):
            return
        directories = [str(directory.path) for directory in check_directories()]
        if not known.file_or_dir:
            args.extend(directories)
        known.noconftest = True
        known.confcutdir = directories[0]


def refuse_at_once(parser: pytest.Parser, config: pytest.Config) -> None:
    """For a plugin that comes with a conftest.py: pytest opens the file of --debug before the next hook is called.

    Raises pytest.UsageError.
    """
    said = parser.parse_known_args(config.invocation_params.args)
    if said.rootfs is not None:
        with told_as_usage():
            refuse_unsafe(options_of(said), config)


def activate(config: pytest.Config) -> None:
    """Open the rootfs and register the plugins that run the suite. Raises pytest.UsageError."""
    from rootfs_kit.suite.subject import PREPARED, SUBJECT, open_subject

    with told_as_usage():
        if not config.stash.get(CHOSEN, False):
            _choose_late(config)
        prepared = config.pluginmanager.get_plugin(PREPARED)
        if prepared is not None:
            config.stash[SUBJECT] = prepared.subject
        else:
            rootdir = None if config.inipath == HERMETIC_INI else config.rootpath
            config.stash[SUBJECT] = open_subject(options_of(config.option), rootdir)
            config.pluginmanager.register(Lasting(), "rootfs-kit-lasting")
    _register(config)


class Lasting:
    """The scan and the suite stay until the end; the collector need not go through them again and again."""

    @staticmethod
    def pytest_runtestloop() -> None:
        gc.freeze()


def _choose_late(config: pytest.Config) -> None:
    """This plugin came with a conftest.py (a checkout that is not installed): conftests and arguments are read."""
    refuse_unsafe(options_of(config.option), config)
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(directory.path) for directory in check_directories()]


def _register(config: pytest.Config) -> None:
    from rootfs_kit.suite.judging import Judging
    from rootfs_kit.suite.nodes import Collection, Scanning
    from rootfs_kit.suite.recorder import RECORDER, Recorder
    from rootfs_kit.suite.subject import SUBJECT

    subject = config.stash[SUBJECT]
    register = config.pluginmanager.register
    register(Collection(subject.profile, subject.expectation), "rootfs-kit-collection")
    register(Scanning(subject.tree), "rootfs-kit-scanning")
    register(Judging(subject), "rootfs-kit-judging")
    if not hasattr(config, "workerinput"):
        config.stash[RECORDER] = Recorder(subject)
        register(config.stash[RECORDER], "rootfs-kit-recorder")
        if config.pluginmanager.has_plugin("terminal"):
            from rootfs_kit.suite.terminal import Terminal

            register(Terminal(subject, config.stash[RECORDER]), "rootfs-kit-terminal")
