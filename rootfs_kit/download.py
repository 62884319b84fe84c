"""Getting one file from a mirror that may be slow, break off, or be out of order: bounded in size and in time."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import IO

from rootfs_kit import __version__
from rootfs_kit.errors import BuildFailed

CHUNK = 64 << 10
GONE = (404, 410)
# Too many requests, and whatever a server says of trouble of its own, may pass (RFC 9110, 15.6; RFC 6585, 4).
PASSING = (408, 429, *range(500, 600))


@dataclass(frozen=True)
class Patience:
    """How long a mirror is waited for: `silence` without a byte and `whole` in all, in seconds, `attempts` times.

    Between them are pauses, of `pause` seconds and then twice as long each time.
    """

    attempts: int = 3
    pause: float = 1.0
    silence: float = 30.0
    whole: float = 600.0


PATIENT = Patience()


class NotThere(BuildFailed):
    """The mirror answers, and does not have the file."""


class _Passing(Exception):
    """Something that may be over when it is tried again."""


def download(url: str, most: int, patience: Patience = PATIENT) -> bytes:
    """The content at `url` (http, https or file). Raises BuildFailed, when it has more than `most` bytes as well."""
    attempt = 1
    while True:
        try:
            return _once(url, most, patience)
        except _Passing as error:
            if attempt >= patience.attempts:
                found = f"{error} (tried {attempt} times)" if attempt > 1 else str(error)
                hint = "Try again later, or name another mirror: --mirror URL (REPO_URL)."
                raise BuildFailed(f"fetching {url}", found, hint) from error
        time.sleep(patience.pause * 2 ** (attempt - 1))
        attempt += 1


def exists(url: str, patience: Patience = PATIENT) -> bool:
    """Whether a file of at least one byte is there; False as well where no answer comes."""
    try:
        with _opened(url, patience) as answer:
            return bool(answer.read(1))
    except (BuildFailed, _Passing, OSError, HTTPException):
        return False


def _once(url: str, most: int, patience: Patience) -> bytes:
    ends = time.monotonic() + patience.whole
    try:
        with _opened(url, patience) as answer:
            content = _read(answer, most, ends, url)
            promised = answer.headers.get("Content-Length", "")  # type: ignore[attr-defined]
    except (OSError, HTTPException) as error:
        raise _Passing(_reason(error)) from error
    if promised.isdigit() and len(content) < int(promised):
        raise _Passing(f"it broke off after {len(content)} of {promised} bytes")
    return content


def _opened(url: str, patience: Patience) -> IO[bytes]:
    """The answer, whose status is a good one. Raises NotThere, BuildFailed and _Passing."""
    doing, hint = f"fetching {url}", "Name another mirror: --mirror URL (REPO_URL)."
    request = urllib.request.Request(url, headers={"User-Agent": f"rootfs-kit/{__version__}"})
    try:
        return urllib.request.urlopen(request, timeout=patience.silence)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        error.close()
        found = f"{error.code} {error.reason}"
        if error.code in GONE:
            raise NotThere(doing, found, hint) from error
        if error.code in PASSING:
            raise _Passing(found) from error
        raise BuildFailed(doing, found, hint) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, FileNotFoundError):
            raise NotThere(doing, "there is no such file", hint) from error
        raise _Passing(_reason(error.reason)) from error


def _read(answer: IO[bytes], most: int, ends: float, url: str) -> bytes:
    content = bytearray()
    while chunk := answer.read1(CHUNK):  # type: ignore[attr-defined]
        content += chunk
        if len(content) > most:
            raise BuildFailed(f"fetching {url}", f"it has more than {most} bytes", "Name another mirror: --mirror URL.")
        if time.monotonic() > ends:
            raise _Passing(f"it is too slow: {len(content)} bytes came in the time that was given")
    return bytes(content)


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
