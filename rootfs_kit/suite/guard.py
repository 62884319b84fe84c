"""A rootfs under test is untrusted: nothing in it may steer the run that judges it, and nothing is written into it.

`pytest --rootfs DIR`, with a space, makes pytest read DIR as a directory of tests before any plugin is loaded: it
takes its configuration from there. This cannot be undone from here (a file in the tree may have ended the process
by then), but the run is refused.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from rootfs_kit.errors import UsageError
from rootfs_kit.spelling import spelt
from rootfs_kit.suite.options import SuiteOptions
from rootfs_kit.tree.paths import shown

HERMETIC_INI = Path(__file__).resolve().with_name("suite.ini")
THIS_MACHINE = Path("/")
SAFE_FORM = "Run it from another directory, as pytest --rootfs=DIR (with =) or rootfs-kit check DIR."


def refuse_unsafe(options: SuiteOptions, config: pytest.Config) -> None:
    """Raise UsageError for a run that the rootfs could steer, or that would write into it."""
    refuse_the_host(options)
    doing = f"preparing to judge {shown(options.rootfs)}"
    for name, path in _what_steers(config):
        if _is_in(path, options):
            raise UsageError(doing, f"{name} is inside the rootfs: {shown(str(path))}", SAFE_FORM)
    for name, path in _what_is_written(options, config):
        _refuse_to_write(options, name, path)


def refuse_a_report_inside(options: SuiteOptions) -> None:
    """Raise UsageError for a report that would be written into the rootfs, or over the archive that it is."""
    if options.report is not None:
        _refuse_to_write(options, "the report", options.report)


def _refuse_to_write(options: SuiteOptions, name: str, path: Path) -> None:
    if _is_in(path, options):
        raise UsageError(
            f"preparing to judge {shown(options.rootfs)}",
            f"{name} would be written into it: {shown(str(path))}",
            "Name a place outside of the rootfs.",
        )


def _is_in(path: Path, options: SuiteOptions) -> bool:
    """Where this machine itself is judged, which has to be allowed, everything is in it."""
    return any(path.resolve().is_relative_to(place) for place in options.places if place != THIS_MACHINE)


def refuse_the_host(options: SuiteOptions) -> None:
    """Raise UsageError where the rootfs is the root of this machine, and that was not allowed."""
    if any(os.path.samefile(place, "/") for place in options.places) and not options.allow_host:
        raise UsageError(
            f"preparing to judge {shown(options.rootfs)}",
            "it is the root of this machine",
            f"Name the directory of a guest's rootfs, or allow this one with {spelt('allow-host')}.",
        )


def _what_steers(config: pytest.Config) -> list[tuple[str, Path]]:
    if config.inipath == HERMETIC_INI:
        return []
    steering = [("pytest's rootdir", config.rootpath), ("the current directory", config.invocation_params.dir)]
    if config.inipath is not None:
        steering.insert(0, ("pytest's configuration file", config.inipath))
    return steering


def _what_is_written(options: SuiteOptions, config: pytest.Config) -> list[tuple[str, Path]]:
    """What this run, and pytest itself, would write; a hermetic run writes a report at most."""
    report = [("the report", options.report)] if options.report is not None else []
    if config.inipath == HERMETIC_INI:
        return report
    here, known = config.invocation_params.dir, config.known_args_namespace
    asked = (
        ("the JUnit report", here, getattr(known, "xmlpath", None)),
        ("the log file", here, getattr(known, "log_file", None) or _ini(config, "log_file")),
        ("pytest's debug log", here, getattr(known, "debug", None)),
        ("pytest's cache", config.rootpath, _ini(config, "cache_dir")),
        ("the directory for temporary files", here, getattr(known, "basetemp", None)),
        ("the directory for temporary files", here, os.environ.get("PYTEST_DEBUG_TEMPROOT")),
        ("the directory for temporary files", here, tempfile.gettempdir()),
    )
    return report + [(name, base / os.path.expandvars(os.path.expanduser(path))) for name, base, path in asked if path]


def _ini(config: pytest.Config, name: str) -> str | None:
    """A value of pytest's configuration, or of -o; None where the plugin that would use it is not loaded."""
    try:
        value = config.getini(name)
    except (KeyError, ValueError):
        return None
    return str(value) if value else None
