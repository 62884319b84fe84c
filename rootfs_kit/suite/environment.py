"""Where the suite runs, as far as that changes what it shows and what it looks for."""

from __future__ import annotations

import os
import socket


def in_github_actions() -> bool:
    """Whether this is a step of a workflow of GitHub Actions, by the variable that its runner sets."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def name_of_this_machine() -> str:
    """Its host name, without a domain."""
    return socket.gethostname().partition(".")[0]


def place_here(name: str) -> str:
    """What a rootfs is called, as an absolute path of this machine without a slash at its end."""
    return os.path.abspath(name)
