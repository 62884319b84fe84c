"""An archive that does not answer as it should is told apart from one that asks for more than we know."""

from __future__ import annotations

from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from rootfs_kit.archive import ATTEMPTS, archive_complaint
from tests.support import mirrors as bad
from tests.support.debian_archive import served


def never_pause(seconds: float) -> None:
    assert seconds > 0


def refuses(status: int) -> Callable[[SimpleHTTPRequestHandler, int], bool]:
    def misbehave(request: SimpleHTTPRequestHandler, number: int) -> bool:
        request.send_error(status)
        return True

    return misbehave


@pytest.mark.parametrize(
    ("misbehave", "said", "hopeless", "requests"),
    [
        (refuses(404), "404", True, 1),
        (refuses(401), "401", False, 1),
        (refuses(503), "503", True, ATTEMPTS),
        (bad.drops_connections, "closed connection", True, ATTEMPTS),
        (bad.breaks_off, "it broke off after 35 of 100000 bytes (tried 3 times)", True, ATTEMPTS),
    ],
)
def test_what_may_pass_is_tried_again(
    tmp_path: Path, misbehave: Callable[..., bool], said: str, hopeless: bool, requests: int
) -> None:
    kind = bad.handler(misbehave)
    with served(tmp_path, kind) as url:
        complaint = archive_complaint(url, "index", never_pause)
    assert complaint is not None
    assert said in complaint.text
    assert complaint.hopeless == hopeless
    assert len(kind.requests) == requests


def test_a_good_one_is_asked_once_and_a_file_is_a_mirror_too(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(bytes(1 << 20))
    kind = bad.handler(bad.well_behaved)
    with served(tmp_path, kind) as url:
        assert archive_complaint(f"{url}/", "index", never_pause) is None
    assert kind.requests == ["/index"]
    assert archive_complaint(f"file://{tmp_path}", "index") is None
    missing = archive_complaint(f"file://{tmp_path}", "other")
    assert missing is not None
    assert "No such file" in missing.text


@pytest.mark.parametrize("mirror", ["http://[", "http://127.0.0.1:99999", "gopher://x", "http://no-such-host.invalid"])
def test_an_address_that_is_none_is_a_complaint_not_an_error(mirror: str) -> None:
    assert archive_complaint(mirror, "index", never_pause) is not None


def test_of_several_files_one_is_enough(tmp_path: Path):
    (tmp_path / "new").write_text("index")
    mirror = f"file://{tmp_path}"
    assert archive_complaint(mirror, "old new") is None
    assert archive_complaint(mirror, "new old") is None
    complaint = archive_complaint(mirror, "old older")
    assert complaint is not None
    assert archive_complaint(mirror, "old") == complaint
