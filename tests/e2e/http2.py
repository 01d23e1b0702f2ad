"""A client for HTTP/2 over TLS that sends what no other client does: it validates and normalizes nothing."""

import contextlib
import select
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from tests.e2e.stack import SECONDS

Fields = Sequence[tuple[bytes, bytes]]
FRAME = 16_384


@dataclass
class Outcome:
    """What came back for a stream: a response, or the code of RST_STREAM or GOAWAY (RFC 9113 §7)."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: int | None = None
    is_done: bool = False


def request(
    path: bytes = b"/items", method: bytes = b"GET", authority: bytes = b"localhost"
) -> list[tuple[bytes, bytes]]:
    """Return the pseudo-headers of a request."""
    return [(b":method", method), (b":scheme", b"https"), (b":authority", authority), (b":path", path)]


class Client:
    """One connection. `send` starts a stream, `outcome` waits for its end."""

    def __init__(self, port: int, certificate: Path) -> None:
        context = ssl.create_default_context(cafile=str(certificate))
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        assert self.socket.selected_alpn_protocol() == "h2"
        config = h2.config.H2Configuration(
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=True,
            header_encoding="utf-8",
        )
        self.connection = h2.connection.H2Connection(config)
        self.connection.initiate_connection()
        self.is_open = True
        self.outcomes: dict[int, Outcome] = {}
        self.flush()

    def flush(self) -> None:
        """Write what the protocol has to say."""
        with contextlib.suppress(OSError):
            self.socket.sendall(self.connection.data_to_send())

    def start(self, fields: Fields, *, is_whole: bool = False) -> int:
        """Send the head of a request, and return the number of its stream."""
        number = self.connection.get_next_available_stream_id()
        self.outcomes[number] = Outcome()
        self.connection.send_headers(number, list(fields), end_stream=is_whole)
        self.flush()
        return number

    def send_body(self, number: int, body: bytes) -> None:
        """Send a body, as far as the server wants to have it, and end the stream."""
        outcome = self.outcomes[number]
        while body and not outcome.is_done:
            size = min(FRAME, len(body), self.connection.local_flow_control_window(number))
            if size == 0:
                self.read()
                continue
            self.connection.send_data(number, body[:size])
            self.flush()
            body = body[size:]
        if not outcome.is_done:
            self.connection.end_stream(number)
            self.flush()

    def outcome(self, number: int) -> Outcome:
        """Read until this stream has ended, and return what came back."""
        outcome = self.outcomes[number]
        while not outcome.is_done:
            self.read()
        return outcome

    def ask(self, fields: Fields, body: bytes | None = None) -> Outcome:
        """Send a request, and return what came back."""
        number = self.start(fields, is_whole=body is None)
        if body is not None:
            self.send_body(number, body)
        return self.outcome(number)

    def read_what_is_there(self) -> None:
        """Process what has arrived, without waiting."""
        while self.is_open and (self.socket.pending() or select.select([self.socket], [], [], 0)[0]):
            self.read()

    def read(self) -> None:
        """Wait for something to arrive, and process it."""
        try:
            data = self.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._end(None)
            return
        try:
            events = self.connection.receive_data(data)
        except h2.exceptions.ProtocolError:  # h2 reads nothing behind a GOAWAY
            self._end(None)
            return
        for event in events:
            self._process(event)
        self.flush()

    def _process(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self._end(event.error_code)
            return
        outcome = self.outcomes.get(getattr(event, "stream_id", None) or 0, Outcome())
        if isinstance(event, h2.events.ResponseReceived):
            outcome.headers = {str(name): str(value) for name, value in event.headers or ()}
            outcome.status = int(outcome.headers.pop(":status"))
        elif isinstance(event, h2.events.DataReceived):
            outcome.body += event.data or b""
            self.connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        elif isinstance(event, h2.events.StreamReset):
            outcome.error, outcome.is_done = int(event.error_code or 0), True
        elif isinstance(event, h2.events.StreamEnded):
            outcome.is_done = True

    def _end(self, error: int | None) -> None:
        """Nothing more arrives."""
        self.is_open = False
        for outcome in self.outcomes.values():
            if not outcome.is_done:
                outcome.error, outcome.is_done = error, True


@contextlib.contextmanager
def connected(port: int, certificate: Path) -> Iterator[Client]:
    """Open a connection, and close it again."""
    client = Client(port, certificate)
    try:
        yield client
    finally:
        client.socket.close()
