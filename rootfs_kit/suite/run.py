"""Judges a rootfs in this process and gives the verdict back: for the command line, and for a build.

Hermetic: nothing of the current directory, of pytest's environment variables or of other pytest plugins takes part,
nothing is printed and nothing is written. It may be called from within a pytest run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rootfs_kit import pytest_plugin
from rootfs_kit.suite.guard import HERMETIC_INI, refuse_a_report_inside, refuse_the_host
from rootfs_kit.suite.options import SuiteOptions
from rootfs_kit.suite.recorder import RECORDER
from rootfs_kit.suite.subject import PREPARED, Subject, open_subject
from rootfs_kit.suite.verdict import Verdict

# What steers pytest from outside of its command line.
VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DEBUG", "PYTEST_CURRENT_TEST")
NOT_NEEDED = (
    "cacheprovider", "doctest", "faulthandler", "junitxml", "logging", "pastebin", "stepwise", "terminal",
    "threadexception", "unraisableexception",
)  # fmt: skip
OUTCOMES = (pytest.fail.Exception, pytest.skip.Exception, pytest.xfail.Exception, pytest.exit.Exception)


@dataclass(frozen=True)
class JudgeOptions:
    """How to judge; see SuiteOptions. `report` is for whoever writes one: judging itself writes nothing."""

    profile: str | None = None
    expect: Path | None = None
    strict: bool = False
    report: Path | None = None
    allow_host: bool = False
    allow_probe_agent: bool = False
    run_agent: bool = False
    truncate: bool = True
    arch: str | None = None
    max_size: int | None = None
    base: str | None = None


def judge(rootfs: str | os.PathLike[str], options: JudgeOptions | None = None) -> Verdict:
    """Run the packaged checks on `rootfs`.

    Raises UsageError for a rootfs, profile or expectation that cannot be used.
    """
    wanted = SuiteOptions(os.fspath(rootfs), **vars(options or JudgeOptions()))
    refuse_the_host(wanted)
    refuse_a_report_inside(wanted)
    wanted = wanted._replace(report=None)
    run = Run(open_subject(wanted, rootdir=None))
    with _undisturbed():
        pytest.main(_arguments(wanted), plugins=[pytest_plugin, run])
    return run.verdict()


def _arguments(options: SuiteOptions) -> list[str]:
    blocked = [argument for name in NOT_NEEDED for argument in ("-p", f"no:{name}")]
    allowed = ["--rootfs-allow-host"] if options.allow_host else []
    return [
        f"--rootfs={options.rootfs}", "-c", str(HERMETIC_INI), f"--rootdir={HERMETIC_INI.parent}",
        "--capture=no", "--import-mode=importlib", *blocked, *allowed,
    ]  # fmt: skip


@contextmanager
def _undisturbed() -> Iterator[None]:
    """The environment without what steers pytest; as it was before, afterwards."""
    before = dict(os.environ)
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        for name in (*VARIABLES, "PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]


class Run:
    """A plugin object: hands the subject in, and holds on to what came out."""

    __name__ = PREPARED

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.config: pytest.Config | None = None
        self.stopped_by: BaseException | None = None

    def pytest_configure(self, config: pytest.Config) -> None:
        self.config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """A signal that arrives during a check stops the run; pytest would take it for a failure of the check."""
        error = call.excinfo.value if call.excinfo is not None else None
        if error is not None and not isinstance(error, (Exception, *OUTCOMES)):
            raise error

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        self.stopped_by = excinfo.value
        return True

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.stopped_by = excinfo.value

    def verdict(self) -> Verdict:
        """What the run came to. Raises what stopped it, if it was stopped."""
        if self.stopped_by is not None:
            raise self.stopped_by
        assert self.config is not None, "pytest ended before it was configured"
        return self.config.stash[RECORDER].verdict
