"""Whether an archive of packages can be reached, for `doctor`; nothing is fetched but its index's first bytes."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from http.client import HTTPException

ANSWER_SECONDS = 10


def archives_of_apt(origin: str) -> tuple[str, ...]:
    """The archives of `origin` (a distribution's title) that this host's apt uses; empty where there is no apt.

    Source of the fields: apt-get(8), indextargets.
    """
    fields = "$(ORIGIN)\t$(LABEL)\t$(REPO_URI)"
    try:
        asked = subprocess.run(
            ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    lines = [line.split("\t") for line in asked.stdout.splitlines()]
    return tuple(dict.fromkeys(line[2] for line in lines if len(line) == 3 and line[:2] == [origin, origin]))


def archive_complaint(mirror: str, index: str) -> str | None:
    """Why the archive at `mirror` cannot serve its file `index`; None when it answers."""
    url = f"{mirror.rstrip('/')}/{index}"
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.reason} for {index or 'it'}"
    except urllib.error.URLError as error:
        return str(getattr(error.reason, "strerror", None) or error.reason)
    except (OSError, ValueError, HTTPException) as error:
        return str(error) or type(error).__name__
    return None
