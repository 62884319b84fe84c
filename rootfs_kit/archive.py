"""Whether an archive of packages can be reached, and soon enough; nothing is fetched but the beginning of its index.

A mirror that is dead should cost seconds: a package manager that waits for one takes minutes, and some wait for ever.
"""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.client import HTTPException

from rootfs_kit.backends import Command
from rootfs_kit.talk import ask

ANSWER_SECONDS = 10
ATTEMPTS = 3
PAUSE_SECONDS = 1.0
INDEX_BYTES = 256 * 1024
PIECE_BYTES = 16 * 1024

# What asks for a password or another certificate may well answer to the package manager, which has its own settings.
PERHAPS_ONLY_US = (401, 403, 407)
OVERLOADED = 500


@dataclass(frozen=True)
class Complaint:
    """Why an archive did not give its index. `passing` is what may be gone at the next attempt; `hopeless` is what
    the package manager would meet as well.
    """

    text: str
    passing: bool = False
    hopeless: bool = True


def archives_of_apt(origin: str) -> tuple[str, ...]:
    """The archives of `origin` (a distribution's title) that this host's apt uses; empty where there is no apt.

    Source of the fields: apt-get(8), indextargets.
    """
    fields = "$(ORIGIN)\t$(LABEL)\t$(REPO_URI)"
    answer = ask(Command(("apt-get", "indextargets", "--format", fields, "Created-By: Packages")), ANSWER_SECONDS)
    lines = [line.split("\t") for line in answer.out.decode(errors="replace").splitlines()]
    return tuple(dict.fromkeys(line[2] for line in lines if len(line) == 3 and line[:2] == [origin, origin]))


def archive_complaint(mirror: str, index: str, pause: Callable[[float], None] = time.sleep) -> Complaint | None:
    """Why the archive at `mirror` cannot serve its file `index`, or any of several (Backend.index); None when it does.

    What may pass is tried again.
    """
    complaint = _common_complaint(mirror, index)
    for attempt in range(1, ATTEMPTS):
        if complaint is None or not complaint.passing:
            break
        pause(attempt * PAUSE_SECONDS)
        complaint = _common_complaint(mirror, index)
    if complaint is not None and complaint.passing:
        return replace(complaint, text=f"{complaint.text} (tried {ATTEMPTS} times)")
    return complaint


def _common_complaint(mirror: str, indexes: str) -> Complaint | None:
    """That of the first file, where there is none of the others either."""
    complaints = []
    for index in indexes.split() or [""]:
        complaint = _complaint(mirror, index)
        if complaint is None:
            return None
        complaints.append(complaint)
    return complaints[0]


def _complaint(mirror: str, index: str) -> Complaint | None:
    url = f"{mirror.rstrip('/')}/{index}"
    try:
        return _complaint_about(url)
    except urllib.error.HTTPError as error:
        text = f"{error.code} {error.reason} for {index or 'it'}"
        return Complaint(text, error.code >= OVERLOADED, error.code not in PERHAPS_ONLY_US)
    except urllib.error.URLError as error:
        return _of_the_connection(error.reason)
    except (OSError, ValueError, HTTPException) as error:
        return _of_the_connection(error)


def _complaint_about(url: str) -> Complaint | None:
    """Read the beginning of the index; a mirror that gives it drop by drop is as good as dead."""
    deadline = time.monotonic() + ANSWER_SECONDS
    with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
        got = 0
        while got < INDEX_BYTES:
            piece = answer.read1(PIECE_BYTES) if hasattr(answer, "read1") else answer.read(PIECE_BYTES)
            if not piece:
                missing = getattr(answer, "length", None)
                text = f"it broke off after {got} of {got + (missing or 0)} bytes"
                return Complaint(text, passing=True) if missing else None
            got += len(piece)
            if time.monotonic() > deadline:
                return Complaint(f"too slow: {got} bytes in {ANSWER_SECONDS} s")
    return None


def _of_the_connection(reason: object) -> Complaint:
    if isinstance(reason, TimeoutError):
        return Complaint(f"no answer within {ANSWER_SECONDS} s")
    if isinstance(reason, ssl.SSLCertVerificationError):
        return Complaint(f"its certificate: {reason.verify_message}", hopeless=False)
    text = str(getattr(reason, "strerror", None) or reason) or type(reason).__name__
    return Complaint(text, passing=isinstance(reason, ConnectionResetError | HTTPException | BrokenPipeError))
