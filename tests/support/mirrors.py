"""Mirrors that behave as mirrors on the internet do on their worse days."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler
from threading import Event, Lock

GARBAGE = b"<html>Welcome to the hotel! Please sign in.</html>\n"
# Longer than anybody waits; the end of the test lets go of whoever still does.
FOR_EVER = 300


class Misbehaving(SimpleHTTPRequestHandler):
    """Counts what it is asked for; `misbehave` says whether it dealt with a request in its own way."""

    requests: list[str]
    lock: Lock
    misbehave: Callable[[SimpleHTTPRequestHandler, int], bool]

    def do_GET(self) -> None:
        with self.lock:
            self.requests.append(self.path)
            number = len(self.requests)
        if not type(self).misbehave(self, number):
            super().do_GET()


def handler(misbehave: Callable[[SimpleHTTPRequestHandler, int], bool]) -> type[Misbehaving]:
    return type("Handler", (Misbehaving,), {"requests": [], "lock": Lock(), "misbehave": staticmethod(misbehave)})


def well_behaved(request: SimpleHTTPRequestHandler, number: int) -> bool:
    return False


def answers_not_found(request: SimpleHTTPRequestHandler, number: int) -> bool:
    request.send_error(404)
    return True


def answers_garbage(request: SimpleHTTPRequestHandler, number: int) -> bool:
    request.send_response(200)
    request.send_header("Content-Length", str(len(GARBAGE)))
    request.end_headers()
    request.wfile.write(GARBAGE)
    return True


def drops_connections(request: SimpleHTTPRequestHandler, number: int) -> bool:
    request.connection.shutdown(socket.SHUT_RDWR)
    request.close_connection = True
    return True


def breaks_off(request: SimpleHTTPRequestHandler, number: int) -> bool:
    """Promises more than it sends."""
    request.send_response(200)
    request.send_header("Content-Length", "100000")
    request.end_headers()
    request.wfile.write(b"-----BEGIN PGP SIGNED MESSAGE-----\n")
    return drops_connections(request, number)


def never_answers(over: Event) -> Callable[[SimpleHTTPRequestHandler, int], bool]:
    def misbehave(request: SimpleHTTPRequestHandler, number: int) -> bool:
        over.wait(FOR_EVER)
        return drops_connections(request, number)

    return misbehave


def answers_drop_by_drop(over: Event) -> Callable[[SimpleHTTPRequestHandler, int], bool]:
    def misbehave(request: SimpleHTTPRequestHandler, number: int) -> bool:
        request.send_response(200)
        request.send_header("Content-Length", "100000")
        request.end_headers()
        until = time.monotonic() + FOR_EVER
        try:
            while not over.wait(0.5) and time.monotonic() < until:
                request.wfile.write(b"x")
        except OSError:
            pass
        return True

    return misbehave


def overloaded(times: int) -> Callable[[SimpleHTTPRequestHandler, int], bool]:
    """503 for so many requests, and then as it should be."""

    def misbehave(request: SimpleHTTPRequestHandler, number: int) -> bool:
        if number <= times:
            request.send_error(503)
        return number <= times

    return misbehave


def garbles_packages(request: SimpleHTTPRequestHandler, number: int) -> bool:
    """Its index is fine, and no package is what the index says."""
    return request.path.endswith(".deb") and answers_garbage(request, number)
