"""The one family of errors, and the exit code that each kind of trouble ends with.

An error says three things: what was being done, what was found, and what to do next. The command line prints
exactly that and exits with the error's code; nothing else in the package prints or exits.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit status of `rootfs-kit` means."""

    DONE = 0
    NOT_CONFORMING = 1
    USAGE = 2
    BUILD_FAILED = 3
    HOST_LACKS = 4
    INTERRUPTED = 130


class RootfsKitError(Exception):
    """Something went wrong that the user can understand and act on.

    `doing` is a clause in the present participle ("reading distro.toml"), `found` what stood in the way, and
    `hint` the next step for the user.
    """

    exit_code: ExitCode = ExitCode.BUILD_FAILED

    def __init__(self, doing: str, found: str, hint: str) -> None:
        super().__init__(doing, found, hint)
        self.doing = doing
        self.found = found
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.doing}: {self.found}\n  {self.hint}"


class UsageError(RootfsKitError):
    """The request itself is wrong: an option, a file that was named, a configuration."""

    exit_code = ExitCode.USAGE


class BuildFailed(RootfsKitError):
    """The build was understood and begun, and could not be finished."""

    exit_code = ExitCode.BUILD_FAILED


class WouldFailAnywhere(BuildFailed):
    """What was asked for cannot be had, and no other mirror has it either."""


class HostLacks(RootfsKitError):
    """This host has no such tool, right or kernel feature; the hint holds the command that mends it."""

    exit_code = ExitCode.HOST_LACKS


class NotConforming(RootfsKitError):
    """The tree was built or read, and the conformance suite says that it must not be used."""

    exit_code = ExitCode.NOT_CONFORMING


class BadArchive(UsageError):
    """An archive that was handed in is damaged, or holds a member that must not be unpacked."""


class CouldNotLook(RootfsKitError):
    """A part of a rootfs could not be read, so nothing can be said of it: neither "missing" nor "fine".

    Kept apart from a broken rule: a suite that takes "permission denied" for "not there" blames the wrong thing
    (kata-containers/osbuilder#127).
    """

    exit_code = ExitCode.USAGE


class NotARegularFile(CouldNotLook):
    """Content was asked of something that is no regular file; it was not opened (a FIFO would hang, a device fire)."""
