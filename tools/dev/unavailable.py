"""Responds to every request with 503 while the service cannot be loaded."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

DETAIL = "The contract or the code cannot be loaded; see the terminal of `make dev`."
_PROBLEM = {"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": DETAIL}
_BODY = json.dumps(_PROBLEM, separators=(",", ":")).encode() + b"\n"
_LONGEST_BODY = 1 << 20


class _Handler(BaseHTTPRequestHandler):
    """Sends the same problem for every method and path."""

    timeout = 5

    def handle_one_request(self) -> None:
        """Respond to one request, and close the connection: the next one may be for the service."""
        self.close_connection = True
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            return
        self.send_response_only(503)
        for name, value in (
            ("Content-Type", "application/problem+json"),
            ("Content-Length", str(len(_BODY))),
            ("Retry-After", "1"),
            ("X-Request-Id", uuid4().hex),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(_BODY)
        # A connection that is closed with unread data is reset, and the client may lose the response.
        length = self.headers.get("Content-Length", "")
        self.rfile.read(min(int(length), _LONGEST_BODY) if length.isdigit() else 0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        """Say nothing: clients may disconnect."""


@contextmanager
def unavailable(listener: socket.socket) -> Iterator[None]:
    """Respond to the connections of this listening socket, on a thread, until the block ends."""
    server = _Server(listener.getsockname()[:2], _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener.dup()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
