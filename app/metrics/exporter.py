"""The process that serves the metrics, https://prometheus.io/docs/instrumenting/exposition_formats/.

It is no worker, so it responds while they are busy, hang, or have ended, and takes none of their time.
"""

import logging
import os
import socket
import socketserver
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from app.setting_values import Bind

logger = logging.getLogger(__name__)
_RETRY_SECONDS = 1
_CLIENT_SECONDS = 5


class _Handler(BaseHTTPRequestHandler):
    """`GET /metrics`, and nothing else."""

    timeout = _CLIENT_SECONDS
    server_version = "metrics"
    sys_version = ""
    registry: CollectorRegistry

    def do_GET(self) -> None:
        """Send all metrics, as text or in the format that the client prefers."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        encode, media_type = choose_encoder(self.headers.get("Accept", ""))
        body = encode(self.registry)
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        """Return the client; on a Unix socket it has no name."""
        return str(self.client_address[0]) if self.client_address else ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name for it
        """Log at the level `debug`: every few seconds, there is a request."""
        logger.debug(format, *args)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A listener whose process ends with the main process."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, bind: Bind, registry: CollectorRegistry, parent: int) -> None:
        self._parent = parent
        self.address_family = socket.AF_UNIX if isinstance(bind, str) else _family(bind[0])
        if isinstance(bind, str):
            Path(bind).unlink(missing_ok=True)
        super().__init__(bind, type("Handler", (_Handler,), {"registry": registry}))  # type: ignore[arg-type]  # a path is one, too

    def service_actions(self) -> None:
        """End with the main process, however it ends. This runs twice a second."""
        if os.getppid() != self._parent:
            os._exit(0)

    def handle_error(self, _request: object, _client: object) -> None:
        """Log the failure of one request, unless the client has gone away."""
        error = sys.exception()
        if not isinstance(error, OSError):
            logger.error("The metrics could not be sent: %r", error, exc_info=error)


def serve(bind: Bind, registry: CollectorRegistry, parent: int) -> None:
    """Serve until the main process ends. While another program has the port, try again: it may be the old service."""
    is_first = True
    while os.getppid() == parent:
        try:
            server = _Server(bind, registry, parent)
        except OSError as error:
            if is_first:
                logger.warning("The metrics cannot be served at %s yet: %s", shown(bind), error.strerror)
            is_first = False
            time.sleep(_RETRY_SECONDS)
        else:
            server.serve_forever()


def check(bind: Bind) -> None:
    """Raise OSError if this process cannot listen there."""
    if isinstance(bind, str):
        if not os.access(Path(bind).parent, os.W_OK):
            raise PermissionError(None, "its folder cannot be written")
        return
    with socket.socket(_family(bind[0])) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(bind)


def shown(bind: Bind) -> str:
    """Return the URL of the metrics, or the path of the socket."""
    if isinstance(bind, str):
        return bind
    host = f"[{bind[0]}]" if ":" in bind[0] else bind[0]
    return f"http://{host}:{bind[1]}/metrics"


def _family(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def remove(bind: Bind) -> None:
    """Remove the file of a Unix socket."""
    if isinstance(bind, str):
        with suppress(OSError):
            Path(bind).unlink()
