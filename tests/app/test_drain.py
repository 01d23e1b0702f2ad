"""A listening socket can be emptied and closed without losing a connection."""

import socket
import sys
from types import SimpleNamespace
from typing import cast

import pytest

from app.drain import refuse_new_connections

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux: socket filters")


def test_new_connections_are_ignored_and_pending_ones_stay() -> None:
    """A connection from before is accepted and works in both directions; a later one does not reach the queue."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as pending:
            refuse_new_connections(listener)
            with socket.socket() as late:
                late.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    late.connect(listener.getsockname())
            pending.sendall(b"request")
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.recv(16) == b"request"
                accepted.sendall(b"response")
                assert pending.recv(16) == b"response"
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_other_kinds_of_sockets_are_left_alone() -> None:
    """A Unix socket has no such packets."""
    with socket.socket(socket.AF_UNIX) as listener:
        refuse_new_connections(listener)


def test_a_system_that_forbids_it_does_not_prevent_the_stop() -> None:
    """Some kernels allow a socket filter only with CAP_NET_ADMIN, which a container does not have."""

    def forbid(*_: object) -> None:
        raise PermissionError

    with socket.create_server(("127.0.0.1", 0)) as listener:
        forbidden = SimpleNamespace(family=listener.family, setsockopt=forbid)
        refuse_new_connections(cast(socket.socket, forbidden))
