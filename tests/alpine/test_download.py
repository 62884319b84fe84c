"""Fetching one file, from mirrors in all states: whole, or an error that says why."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rootfs_kit.download import NotThere, Patience, download, exists
from rootfs_kit.errors import BuildFailed

QUICK = Patience(attempts=3, pause=0.01, silence=10.0, whole=60.0)
IMPATIENT = Patience(attempts=3, pause=0.01, silence=1.0, whole=2.0)
CONTENT = bytes(range(256)) * 500

Answer = Callable[[BaseHTTPRequestHandler], None]


class Mirror:
    """Gives the answers in turn, the last one again and again, and counts what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = answers
        self.agents: list[str] = []

    @property
    def asked(self) -> int:
        return len(self.agents)

    @contextmanager
    def url(self) -> Iterator[str]:
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = mirror._answers[min(mirror.asked, len(mirror._answers) - 1)]
                mirror.agents.append(self.headers["User-Agent"])
                answer(self)

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/file"
        finally:
            server.shutdown()
            server.server_close()


def good(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(CONTENT)


def status(code: int) -> Answer:
    return lambda handler: handler.send_error(code)


def cut(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(CONTENT[:1000])


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Break the connection off as a crashing server does."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    handler.connection.close()


def silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(2.0)


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """Never silent for long, and never done."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        return


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(CONTENT)
    except OSError:
        return


def test_a_file_comes_whole_from_a_mirror_that_is_told_who_asks() -> None:
    mirror = Mirror(good)
    with mirror.url() as url:
        assert download(url, 1 << 20, QUICK) == CONTENT
    assert mirror.agents[0].startswith("rootfs-kit/")


def patience_for(trouble: Answer) -> Patience:
    return IMPATIENT if trouble in (silent, dripping) else QUICK


@pytest.mark.parametrize("trouble", [status(503), status(500), status(429), cut, reset, silent, dripping])
def test_what_may_pass_is_tried_again(trouble: Answer) -> None:
    mirror = Mirror(trouble, trouble, good)
    with mirror.url() as url:
        assert download(url, 1 << 20, patience_for(trouble)) == CONTENT
    assert mirror.asked == 3


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (status(503), "503 Service Unavailable (tried 3 times)"),
        (cut, "it broke off after 1000 of 128000 bytes (tried 3 times)"),
        (reset, "(tried 3 times)"),
        (silent, "no answer in time (tried 3 times)"),
        (dripping, "it is too slow"),
    ],
)
def test_what_does_not_pass_is_told_in_the_end(trouble: Answer, words: str) -> None:
    mirror = Mirror(trouble)
    with mirror.url() as url, pytest.raises(BuildFailed) as caught:
        download(url, 1 << 20, patience_for(trouble))
    assert caught.value.doing == f"fetching {url}"
    assert words in caught.value.found
    assert mirror.asked == 3


@pytest.mark.parametrize(("code", "kind"), [(404, NotThere), (410, NotThere), (403, BuildFailed), (400, BuildFailed)])
def test_what_will_not_pass_is_not_tried_again(code: int, kind: type[BuildFailed]) -> None:
    mirror = Mirror(status(code), good)
    with mirror.url() as url, pytest.raises(BuildFailed, match=str(code)) as caught:
        download(url, 1 << 20, QUICK)
    assert type(caught.value) is kind
    assert mirror.asked == 1


def test_a_file_that_is_too_large_is_not_taken() -> None:
    for trouble in (good, endless):
        mirror = Mirror(trouble)
        with mirror.url() as url, pytest.raises(BuildFailed, match="more than 100000 bytes"):
            download(url, 100_000, QUICK)
        assert mirror.asked == 1


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(BuildFailed, match=r"Connection refused \(tried 3 times\)"):
            download(f"http://127.0.0.1:{taken.getsockname()[1]}/file", 1 << 20, QUICK)


def test_a_directory_of_this_host_can_be_a_mirror(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert download((tmp_path / "file").as_uri(), 1 << 20, QUICK) == CONTENT
    with pytest.raises(NotThere, match="there is no such file"):
        download((tmp_path / "none").as_uri(), 1 << 20, QUICK)


@pytest.mark.parametrize(
    ("answer", "there"), [(good, True), (status(404), False), (status(503), False), (reset, False)]
)
def test_whether_a_file_is_there_is_asked_once(answer: Answer, there: bool) -> None:
    mirror = Mirror(answer)
    with mirror.url() as url:
        assert exists(url, QUICK) is there
    assert mirror.asked == 1
